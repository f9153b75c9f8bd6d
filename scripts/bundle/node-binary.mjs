// The Node.js that runs this script, for the bundle: without symbols where `strip` is at hand.
import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { SetupError } from "../locate-libtorch.mjs";
import { fileEntry } from "./entries.mjs";

/** Libraries that every Linux host with a C++ compiler has. */
const EVERYWHERE =
  /^(linux-vdso|ld-linux-x86-64|libc|libm|libdl|librt|libpthread|libstdc\+\+|libgcc_s|libatomic)\.so/;

/**
 * Libraries of this Node.js that another host may lack: builds of distributions split it into several.
 * `loaded` are the shared objects of a running Node.js without addons.
 */
export const foreignLibraries = (loaded) =>
  loaded.map((path) => basename(path)).filter((name) => !EVERYWHERE.test(name));

function sharedObjects() {
  const code = "console.log(JSON.stringify(process.report.getReport().sharedObjects))";
  const { stdout, status } = spawnSync(process.execPath, ["-e", code], { encoding: "utf8", env: {} });
  return status === 0 ? JSON.parse(stdout) : [];
}

/** Copies the binary into `folder` and returns its entry and whether it is stripped. Errors: SetupError when it cannot travel. */
export function nodeEntry(folder) {
  const foreign = foreignLibraries(sharedObjects()).filter((name) => name !== basename(process.execPath));
  if (foreign.length > 0)
    throw new SetupError(
      `This Node.js (${process.execPath}) needs ${foreign.join(", ")}, which other hosts may lack.\n` +
        "Run `npm run bundle` with a Node.js of https://nodejs.org, which is one file.",
    );
  const copy = join(folder, "node");
  copyFileSync(process.execPath, copy);
  const stripped = join(folder, "node-stripped");
  const strip = spawnSync("strip", ["-s", "-o", stripped, copy], { stdio: "ignore" });
  const runs = strip.status === 0 && spawnSync(stripped, ["--version"], { encoding: "utf8" });
  const works = runs !== false && runs.stdout?.trim() === process.version;
  const source = works ? stripped : copy;
  return { entry: fileEntry("bin/node", source, 0o755), stripped: works, bytes: statSync(source).size };
}

/** The licence text that came with this Node.js, or undefined. */
export function nodeLicence(execPath = process.execPath) {
  const prefix = dirname(dirname(execPath));
  const places = [
    "LICENSE",
    "share/doc/nodejs/LICENSE",
    "share/doc/node/LICENSE",
    "share/doc/nodejs/copyright",
  ];
  return places.map((place) => join(prefix, place)).find((path) => existsSync(path));
}
