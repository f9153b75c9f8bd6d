// `npm run bundle`: one archive for a Linux x86-64 host with Python's torch and a C++ compiler, but no Node.js, no npm and
// no network. Unpacked, ./gpu-check.sh builds the addon there, checks the numbers and runs the benchmarks.
//
//   npm run bundle -- [--out FILE] [--force]
//
// Needs an installed node_modules and nothing else; the same checkout and Node.js give the same bytes.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { describeFailure } from "./bootstrap.mjs";
import { compiledEntries } from "./bundle/compile.mjs";
import { compressor, writeCompressed } from "./bundle/compress.mjs";
import { bytesOf, commandEntries, entry, packageEntry, projectEntries } from "./bundle/entries.mjs";
import { licenceEntries } from "./bundle/licences.mjs";
import { nodeEntry } from "./bundle/node-binary.mjs";
import { packageEntries, productionPackages } from "./bundle/packages.mjs";
import { tarPieces } from "./bundle/tar.mjs";
import { missingImports } from "./bundle/whole.mjs";
import { handleSignals, withTemporary } from "./child.mjs";
import { installPackages } from "./install-packages.mjs";
import { MINIMUM_VERSION, PROJECT_ROOT, SetupError } from "./locate-libtorch.mjs";

/** What hosts that lend a card take in one go. */
const MOST_BYTES = 60e6;

const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;

/** The commit of the checkout, with "+changes" when files differ from it; "unknown" without git. */
function commitOf(root) {
  const git = (...args) => spawnSync("git", args, { cwd: root, encoding: "utf8" });
  const head = git("rev-parse", "HEAD");
  if (head.status !== 0) return "unknown";
  return head.stdout.trim() + (git("status", "--porcelain").stdout === "" ? "" : "+changes");
}

/** manifest.json: what is inside, and the SHA-256 of every file. */
function manifestEntry(root, entries, packages) {
  const { name, version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const files = entries
    .map((file) => {
      const bytes = bytesOf(file);
      return [file.name, { bytes: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") }];
    })
    .sort(([a], [b]) => (a < b ? -1 : 1));
  const manifest = {
    ...{ name, version, commit: commitOf(root), platform: "linux-x64-glibc", node: process.versions.node },
    torch: `>=${MINIMUM_VERSION}`,
    packages: Object.fromEntries(packages.map((one) => [one.name, one.version])),
    files: Object.fromEntries(files),
  };
  return entry("manifest.json", `${JSON.stringify(manifest, null, 1)}\n`);
}

/** Collects, checks and packs; `note` is told one line per step. Returns path and size of the archive. */
export async function bundle({ root = PROJECT_ROOT, out, force = false, note = () => {} }) {
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const top = `invdiff-${version}-linux-x64`;
  const target = resolve(out ?? join(root, "build", "bundle", `${top}.tar.xz`));
  if (process.platform !== "linux" || process.arch !== "x64")
    throw new SetupError(
      `The bundle is for Linux on x86-64 and carries this machine's Node.js (${process.platform}, ${process.arch}).`,
    );
  if (existsSync(target) && !force)
    throw new SetupError(`${target} is there already; --force writes over it, --out FILE names another.`);
  compressor();
  const folder = mkdtempSync(join(tmpdir(), "invdiff-node-"));
  return withTemporary(folder, async () => {
    const packages = productionPackages(root);
    const node = nodeEntry(folder);
    note(`Node.js ${process.version}${node.stripped ? ", stripped" : ""}: ${megabytes(node.bytes)}`);
    note("compiling src, bench/gpu and tools/gpu-check");
    const parts = {
      "compiled JavaScript": await compiledEntries(root),
      [`${packages.length} packages`]: packageEntries(root, packages),
      "addon sources, fixtures, assets, scripts": [...projectEntries(root), ...commandEntries(root)],
      licences: [packageEntry(root), ...licenceEntries(packages)],
    };
    for (const [what, list] of Object.entries(parts)) {
      const bytes = list.reduce((sum, file) => sum + (file.data?.length ?? statSync(file.source).size), 0);
      note(`${what}: ${list.length} files, ${megabytes(bytes)}`);
    }
    const entries = [node.entry, ...Object.values(parts).flat()];
    const missing = await missingImports(entries);
    if (missing.length > 0)
      throw new SetupError(`The bundle would not be whole; imports without target:\n${missing.join("\n")}`, {
        exitCode: 2,
      });
    entries.push(manifestEntry(root, entries, packages));
    mkdirSync(dirname(target), { recursive: true });
    note(`packing ${entries.length} files`);
    return withTemporary(`${target}.tmp-${process.pid}`, async (temporary) => {
      await writeCompressed(tarPieces(top, entries), temporary);
      const { size } = statSync(temporary);
      if (size > MOST_BYTES)
        throw new SetupError(`The bundle has ${megabytes(size)}; at most ${megabytes(MOST_BYTES)} may be.`, {
          exitCode: 2,
        });
      renameSync(temporary, target);
      return { target, size, top };
    });
  });
}

async function main() {
  const { values } = parseArgs({ options: { out: { type: "string" }, force: { type: "boolean" } } });
  const start = performance.now();
  // libtorch and the addon are the host's; the packages and the compiler are all that is needed here.
  await installPackages(PROJECT_ROOT, (text) => console.error(`bundle: ${text}`));
  const { target, size, top } = await bundle({ ...values, note: (text) => console.error(`bundle: ${text}`) });
  const seconds = ((performance.now() - start) / 1000).toFixed(0);
  const place = relative(process.cwd(), target);
  console.log(`${place.startsWith("..") ? target : place}: ${megabytes(size)} (${seconds} s)`);
  console.log(
    `Unpack it on the host: tar xf FILE (or: python3 -m tarfile -e FILE), then ${top}/gpu-check.sh`,
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  handleSignals("bundle", "nothing was written");
  try {
    await main();
  } catch (error) {
    const { text, exitCode } = describeFailure(error);
    console.error(`bundle failed: ${text}`);
    process.exitCode = String(error?.code).startsWith("ERR_PARSE_ARGS") ? 1 : exitCode;
  }
}
