// Step 1 of the set-up: node_modules as package-lock.json says.
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run, tail } from "./child.mjs";
import { SetupError } from "./locate-libtorch.mjs";

const readJson = (path) => JSON.parse(readFileSync(path, "utf8"));

/**
 * Why `npm ci` must run, or undefined when node_modules is what the lock says.
 * `stamp` is the hash of the lock that was installed; without one (the user ran npm) npm's own record is compared.
 */
export function reasonToInstall(root) {
  const modules = join(root, "node_modules");
  const record = join(modules, ".package-lock.json");
  if (!existsSync(record))
    return existsSync(modules) ? "node_modules is incomplete" : "node_modules is missing";
  const stamp = join(modules, ".invdiff-stamp");
  const text = readFileSync(join(root, "package-lock.json"));
  const hash = createHash("sha256").update(text).digest("hex");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === hash) return undefined;
  const wanted = JSON.parse(text).packages ?? {};
  const installed = readJson(record).packages ?? {};
  const differs = Object.entries(wanted).find(
    ([name, entry]) => name !== "" && !entry.optional && installed[name]?.version !== entry.version,
  );
  if (differs !== undefined) return `package-lock.json changed (${differs[0].replace("node_modules/", "")})`;
  writeFileSync(stamp, hash);
  return undefined;
}

/** Runs `npm ci --ignore-scripts` when needed; no package here needs an install script. */
export async function installPackages(root, note) {
  const reason = reasonToInstall(root);
  if (reason === undefined) return "packages up to date";
  note(`installing npm packages: ${reason}`);
  const { code, signal, output } = await run("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], {
    cwd: root,
  });
  if (code !== 0) {
    throw new SetupError(
      `\`npm ci\` failed (${signal ?? `exit code ${code}`}).\n${tail(output)}\n` +
        "Check the network, npm's registry setting and free disk space, then start again.",
    );
  }
  const left = reasonToInstall(root);
  if (left !== undefined) throw new SetupError(`After \`npm ci\`: ${left}.`, { exitCode: 2 });
  return "packages installed";
}
