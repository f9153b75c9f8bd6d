// Compresses the archive by the xz tool, or where it is missing by Python's lzma module.
import { spawn, spawnSync } from "node:child_process";
import { createWriteStream } from "node:fs";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { undoOnExit } from "../child.mjs";
import { SetupError } from "../locate-libtorch.mjs";

/** One thread: the number of threads would change the bytes. The first filter is for machine code, most of the bundle. */
const XZ = ["xz", ["-T1", "--format=xz", "--check=crc32", "--x86", "--lzma2=preset=1", "--stdout"]];
const PYTHON = `
import lzma, sys
filters = [{"id": lzma.FILTER_X86}, {"id": lzma.FILTER_LZMA2, "preset": 1}]
compressor = lzma.LZMACompressor(lzma.FORMAT_XZ, check=lzma.CHECK_CRC32, filters=filters)
while piece := sys.stdin.buffer.read(1 << 20):
    sys.stdout.buffer.write(compressor.compress(piece))
sys.stdout.buffer.write(compressor.flush())
`;

/** The command that compresses stdin to stdout. Errors: SetupError when there is none. */
export function compressor() {
  const works = (command, args) => spawnSync(command, args, { stdio: "ignore" }).status === 0;
  if (works("xz", ["--version"])) return XZ;
  if (works("python3", ["-c", "import lzma"])) return ["python3", ["-c", PYTHON]];
  throw new SetupError(
    "Neither xz nor a python3 with the module lzma was found; one of them packs the bundle.\n" +
      "Install xz (Debian, Ubuntu: `sudo apt install xz-utils`; Fedora: `sudo dnf install xz`).",
  );
}

/** Writes the pieces, compressed, to the file `target`. */
export async function writeCompressed(pieces, target) {
  const [command, args] = compressor();
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"] });
  const done = undoOnExit(() => child.kill("SIGKILL"));
  const ended = new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) =>
      code === 0
        ? resolve()
        : reject(new SetupError(`${command} ended with exit code ${code}; is the disk of ${target} full?`)),
    );
  });
  try {
    await Promise.all([
      pipeline(Readable.from(pieces, { objectMode: true }), child.stdin),
      pipeline(child.stdout, createWriteStream(target)),
      ended,
    ]);
  } finally {
    done();
  }
}
