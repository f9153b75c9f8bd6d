// Names that come from a server, a zip or a command line and become paths: what is let through.
import { ConfigError } from "../torch/errors.ts";

export type RepoType = "model" | "dataset";

/** Longest name of a file or folder on the usual file systems, in bytes. */
const MAX_SEGMENT = 255;

/** Why a relative path with "/" must not become a file below a folder, on this system or another; undefined when it may. */
export function unsafePath(path: string): string | undefined {
  if (path === "") return "it is empty";
  if (path.includes("\\")) return "it has a backslash";
  if (path.startsWith("/")) return "it is absolute";
  // "C:..." is a drive, and "name:x" a hidden stream of a file on Windows.
  if (path.includes(":")) return "it has a colon, as drive letters do";
  if (/[\u0000-\u001f\u007f]/.test(path)) return "it has control characters";
  const segments = path.split("/");
  if (segments.includes("..")) return 'it has ".." and could leave the folder';
  if (segments.includes(".") || segments.includes("")) return "it has an empty part";
  if (segments.some((segment) => Buffer.byteLength(segment) > MAX_SEGMENT))
    return `a part of it is longer than ${MAX_SEGMENT} bytes`;
  return undefined;
}

/** One spelling for all that file systems which ignore case or Unicode composition take for the same name. */
export const foldedName = (path: string): string => path.normalize("NFC").toLowerCase().normalize("NFC");

const REPO = /^[\w][\w.-]{0,95}\/[\w][\w.-]{0,95}$/;

/** Whether a text has the form OWNER/NAME of a repository. */
export const isRepoName = (text: string): boolean =>
  REPO.test(text) && !text.includes("--") && !text.includes("..") && !/\.(git|ipc)$/.test(text);

/** Throws ConfigError when the text is no OWNER/NAME. */
export function checkRepoName(text: string): void {
  if (isRepoName(text)) return;
  throw new ConfigError(
    `${JSON.stringify(text)} is no name of a repository; expected OWNER/NAME, for example CompVis/stable-diffusion-v1-4.`,
  );
}

/** Throws ConfigError when the text cannot be a branch, tag or commit. */
export function checkRevision(text: string): void {
  const problem =
    unsafePath(text) ?? (/[\s?#%]/.test(text) ? "it has characters that no revision has" : undefined);
  if (problem === undefined) return;
  throw new ConfigError(
    `revision ${JSON.stringify(text)} cannot be one: ${problem}. Expected a branch, tag or commit, such as main.`,
  );
}

export const isCommit = (text: string): boolean => /^[0-9a-f]{40}$/.test(text);
