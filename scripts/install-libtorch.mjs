// Step 2 of the set-up: libtorch, found on this machine or installed by pip into .libtorch/.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { run, tail, withTemporary } from "./child.mjs";
import { SetupError, inspectLibtorch, locateLibtorch } from "./locate-libtorch.mjs";

/** The libtorch that is installed when none is found. */
export const PINNED_VERSION = "2.13.0";

const OWN_WAY =
  "Or unpack a libtorch yourself (https://pytorch.org/get-started/locally, package LibTorch) and set LIBTORCH to it.";

/** True when this machine shows an NVIDIA GPU: its device file, or a driver that answers. */
export function hasNvidiaGpu() {
  if (existsSync("/dev/nvidia0")) return true;
  return spawnSync("nvidia-smi", ["-L"], { stdio: "ignore", timeout: 10_000 }).status === 0;
}

/**
 * What to ask pip for, in this order. A machine without GPU should not fetch gigabytes of CUDA libraries;
 * the C++ library needs no Python packages, but a CUDA build needs NVIDIA's (they come as dependencies).
 */
export function pipAttempts({ gpu, platform = process.platform }) {
  const ordinary = `torch==${PINNED_VERSION}`;
  if (gpu) return [{ args: [ordinary], what: `${ordinary} with CUDA (several GB)` }];
  if (platform === "darwin") return [{ args: ["--no-deps", ordinary], what: ordinary }];
  const cpu = `torch==${PINNED_VERSION}+cpu`;
  const wheels = "https://download.pytorch.org/whl/cpu";
  return [
    { args: ["--no-deps", cpu], what: cpu },
    { args: ["--no-deps", "--index-url", wheels, cpu], what: `${cpu} from ${wheels}` },
    { args: [ordinary], what: `${ordinary}, the ordinary build, which may be large` },
  ];
}

/** True when pip's words mean "this index does not have it" (rather than a full disk, say). */
export const isNotOffered = (output) =>
  /No matching distribution|Could not find a version|Could not fetch URL|ConnectionError|NewConnectionError/i.test(
    output,
  );

/** Checks python3 and pip; returns extra pip arguments for a Python for which no torch wheel is made. */
function checkPip(python = "python3") {
  const version = spawnSync(python, ["-c", "import sys; print(*sys.version_info[:2])"], { encoding: "utf8" });
  if (version.status !== 0) {
    throw new SetupError(
      "python3 was not found; its pip is used to install libtorch.\n" +
        `Install it (Debian, Ubuntu: \`sudo apt install python3 python3-pip\`) and start again. ${OWN_WAY}`,
    );
  }
  if (spawnSync(python, ["-m", "pip", "--version"], { stdio: "ignore" }).status !== 0) {
    throw new SetupError(
      "python3 is here, but its pip is not (`python3 -m pip --version` fails).\n" +
        `Install it (Debian, Ubuntu: \`sudo apt install python3-pip\`) and start again. ${OWN_WAY}`,
    );
  }
  const [major, minor] = version.stdout.trim().split(" ").map(Number);
  const hasWheels = major === 3 && minor >= 10 && minor <= 14;
  return hasWheels ? [] : ["--python-version", "3.12", "--only-binary=:all:"];
}

/** Installs into a temporary folder and renames, so that .libtorch is whole or not there. */
async function install(root, note) {
  const extra = checkPip();
  const gpu = hasNvidiaGpu();
  const target = join(root, ".libtorch");
  for (const name of readdirSync(root)) {
    if (name.startsWith(".libtorch.tmp-")) rmSync(join(root, name), { recursive: true, force: true });
  }
  const refusals = [];
  for (const { args, what } of pipAttempts({ gpu })) {
    note(`installing ${what} by pip into .libtorch/ (${gpu ? "NVIDIA GPU found" : "no NVIDIA GPU found"})`);
    const refusal = await withTemporary(`${target}.tmp-${process.pid}`, async (temporary) => {
      const pip = ["-m", "pip", "install", "--target", temporary, ...extra, ...args];
      const bar = process.stderr.isTTY ? [] : ["--progress-bar", "off"];
      const { code, output } = await run("python3", [...pip, ...bar], {
        cwd: root,
        show: process.stderr.isTTY,
      });
      if (code === 0) {
        inspectLibtorch(join(temporary, "torch"), ".libtorch");
        rmSync(target, { recursive: true, force: true });
        renameSync(temporary, target);
        return undefined;
      }
      if (isNotOffered(output)) return `${what}: ${tail(output, 2)}`;
      throw new SetupError(
        `pip could not install ${what} (exit code ${code}).\n${tail(output)}\n` +
          `Check the network and free disk space (CPU build about 1 GB, CUDA build about 8 GB). ${OWN_WAY}`,
      );
    });
    if (refusal === undefined) return inspectLibtorch(join(target, "torch"), ".libtorch");
    refusals.push(refusal);
  }
  throw new SetupError(
    `pip does not offer libtorch ${PINNED_VERSION}:\n${refusals.join("\n")}\n` +
      `Check the network and pip's index setting (\`python3 -m pip config list\`). ${OWN_WAY}`,
  );
}

/** The libtorch to use, installing one when none is found. */
export async function ensureLibtorch(root, note) {
  const found = locateLibtorch({ root, note });
  return found ?? (await install(root, note));
}
