/** Names of files that stay where they belong. */
import { isAbsolute, relative, resolve, sep } from "node:path";

/** The absolute path of `name`, taken relative to a folder (absolute); undefined when that leads out of the folder. */
export function pathInside(folder: string, name: string): string | undefined {
  // The usual case, at a hundred thousand rows.
  if (/^[\w-][\w .-]*(\/[\w-][\w .-]*)*$/.test(name) && sep === "/") return `${folder}/${name}`;
  const path = resolve(folder, name);
  const inside = relative(folder, path);
  const leadsOut =
    isAbsolute(name) ||
    inside === "" ||
    inside === ".." ||
    inside.startsWith(`..${sep}`) ||
    isAbsolute(inside);
  return leadsOut ? undefined : path;
}
