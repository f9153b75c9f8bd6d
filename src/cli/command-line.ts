// The command that was typed, in a form that works when it is typed again.
import { basename, relative } from "node:path";

/** "invdiff" where it is installed as a command; otherwise node with the path of this program. */
export function programName(path = process.argv[1] ?? "", cwd = process.cwd()): string {
  if (basename(path) === "invdiff") return "invdiff";
  const short = relative(cwd, path);
  return `node ${quoted(short.startsWith("..") ? path : short)}`;
}

export const commandLine = (args: readonly string[] = process.argv.slice(2)): string =>
  [programName(), ...args.map(quoted)].join(" ");

/** The arguments that go on with unfinished work: one that chose an older checkpoint, or dropped old work, is not for the next time. */
export const resumingArgs = (args: readonly string[] = process.argv.slice(2)): string[] =>
  args.filter((arg, i) => arg !== "--force" && !/^--resume(=|$)/.test(arg) && args[i - 1] !== "--resume");

const quoted = (text: string): string =>
  /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
