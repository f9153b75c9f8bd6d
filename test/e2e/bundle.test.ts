// The bundle as its user has it: unpacked by Python on a host without Node.js, npm and this repository, whose torch is only
// known to Python. Builds the addon there from nothing, so that the whole takes some minutes.
import { execFile, execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { locateLibtorch } from "../../scripts/locate-libtorch.mjs";
import { ROOT } from "../house/files.ts";

const MOST_BYTES = 60e6;
const MINUTES = 60_000;

const home = mkdtempSync(join(tmpdir(), "invdiff-bundle-"));
const inHome = (...parts: string[]) => join(home, ...parts);
const archive = inHome("made", "bundle.tar.xz");
let unpacked = "";
afterAll(() => rmSync(home, { recursive: true, force: true }));

interface Ended {
  readonly code: number;
  readonly text: string;
}

const ended = (
  file: string,
  args: string[],
  options: { env?: NodeJS.ProcessEnv; cwd?: string },
): Promise<Ended> =>
  new Promise((resolve) => {
    execFile(file, args, { encoding: "utf8", maxBuffer: 1 << 26, ...options }, (error, stdout, stderr) =>
      resolve({
        code: error === null ? 0 : typeof error.code === "number" ? error.code : -1,
        text: stdout + stderr,
      }),
    );
  });

const makeBundle = (...args: string[]) =>
  ended(process.execPath, [join(ROOT, "scripts/bundle.mjs"), "--out", archive, ...args], { cwd: home });

/** Where a program of this host lies, without shims. */
const placeOf = (name: string): string =>
  execFileSync("sh", ["-c", `readlink -f "$(command -v ${name})"`], { encoding: "utf8" }).trim();

/** A folder of the few programs that the host is said to have. */
function programs(folder: string, names: readonly string[]): string {
  const path = inHome(folder);
  mkdirSync(path, { recursive: true });
  for (const name of names) symlinkSync(placeOf(name), join(path, name));
  // A version manager's python3 is a script that needs more than there is here.
  const python = execFileSync("python3", ["-c", "import sys; print(sys.executable)"], {
    encoding: "utf8",
  }).trim();
  writeFileSync(join(path, "python3"), `#!/bin/sh\nexec "${python}" "$@"\n`);
  chmodSync(join(path, "python3"), 0o755);
  return path;
}

const hostEnv = (more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv => ({
  PATH: inHome("bin"),
  HOME: inHome("empty-home"),
  PYTHONPATH: dirname(locateLibtorch()!.path),
  OMP_NUM_THREADS: "1",
  ...more,
});

/** Runs a command of the bundle from a folder of no meaning. */
const onHost = (command: string, args: string[], more: NodeJS.ProcessEnv = {}): Promise<Ended> =>
  ended(join(unpacked, command), args, { cwd: inHome("elsewhere"), env: hostEnv(more) });

/** The command lines of all processes of this host that can be seen. */
const commandLines = (): string[] =>
  readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((id) => {
      try {
        return [readFileSync(`/proc/${id}/cmdline`, "utf8").replaceAll("\0", " ")];
      } catch {
        return []; // It ended meanwhile.
      }
    });

interface Report {
  readonly device: string;
  readonly commit: string;
  readonly problems: string[];
  readonly parity: {
    name: string;
    error?: string;
    comparisons: { row: string; error: number; tolerance: number }[];
  }[];
  readonly bench: { rows: { case: string; milliseconds?: number; failure?: string; python?: unknown }[] };
  readonly torch: { importError?: string };
}
const reportIn = (folder: string) =>
  JSON.parse(readFileSync(inHome(folder, "gpu-check.json"), "utf8")) as Report;

beforeAll(async () => {
  mkdirSync(inHome("elsewhere"));
  mkdirSync(inHome("empty-home"));
  chmodSync(inHome("empty-home"), 0o555);
  programs("bin", ["sh", "dirname", "uname", "g++", "as", "ld"]);
  const { code, text } = await makeBundle();
  expect({ code, text }).toMatchObject({ code: 0 });
  expect(text).toMatch(/bundle\.tar\.xz: \d+\.\d MB/);
  mkdirSync(inHome("far", "away"), { recursive: true });
  execFileSync("python3", ["-m", "tarfile", "-e", archive, inHome("far", "away")]);
  unpacked = inHome("far", "away", readdirSync(inHome("far", "away"))[0]!);
}, 5 * MINUTES);

describe("npm run bundle", () => {
  it(`makes less than ${MOST_BYTES / 1e6} MB, and leaves nothing else behind`, () => {
    expect(statSync(archive).size).toBeLessThan(MOST_BYTES);
    expect(readdirSync(inHome("made"))).toEqual(["bundle.tar.xz"]);
  });

  it("writes over nothing, unless told to", async () => {
    const before = statSync(archive).mtimeMs;
    expect(await makeBundle()).toMatchObject({
      code: 1,
      text: expect.stringMatching(/there already.*--force/s),
    });
    expect(await makeBundle("--frce")).toMatchObject({ code: 1, text: expect.stringContaining("--frce") });
    expect(statSync(archive).mtimeMs).toBe(before);
  });

  it("has a manifest of every file, and no file that is not ours to pass on or not needed", () => {
    const { files, ...manifest } = JSON.parse(readFileSync(join(unpacked, "manifest.json"), "utf8")) as {
      files: Record<string, { bytes: number; sha256: string }>;
      version: string;
      node: string;
      packages: Record<string, string>;
    };
    const there = readdirSync(unpacked, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath ?? entry.path, entry.name).slice(unpacked.length + 1))
      .filter((name) => name !== "manifest.json")
      .sort();
    expect(Object.keys(files).sort()).toEqual(there);
    for (const [name, { bytes, sha256 }] of Object.entries(files)) {
      const data = readFileSync(join(unpacked, name));
      expect({ name, bytes, sha256 }).toEqual({
        ...{ name, bytes: data.length },
        sha256: createHash("sha256").update(data).digest("hex"),
      });
    }
    expect(manifest).toMatchObject({
      node: process.versions.node,
      commit: expect.stringMatching(/^[0-9a-f]{40}|unknown/),
    });
    expect(manifest.packages).toHaveProperty("zod");
    expect(manifest.packages).not.toHaveProperty("typescript");
    const unwanted =
      /clip-tokenizer|tokens-clip|\.test\.|\.map$|(?<!tokenizers\/types\/.*)\.ts$|simulated|^src\//;
    expect(there.filter((name) => unwanted.test(name))).toEqual([]);
    for (const name of ["gpu-check.sh", "LICENSE", "licenses/THIRD-PARTY.md", "licenses/node-LICENSE"])
      expect(there).toContain(name);
  });
});

describe("gpu-check.sh on a host without Node.js", () => {
  it("has nothing of this repository or of another Node.js within reach", async () => {
    for (const name of ["node", "npm"]) {
      const found = await ended("sh", ["-c", `command -v ${name}`], { env: hostEnv() });
      expect(found.code).not.toBe(0);
    }
  });

  it(
    "builds the addon, compares the numbers, measures, and prints one table; all of it is in the JSON too (slow)",
    { timeout: 12 * MINUTES },
    async () => {
      const { code, text } = await onHost("gpu-check.sh", ["--device", "cpu", "--out", inHome("first")]);
      expect({ code, text }).toMatchObject({ code: 0 });
      expect(text).toMatch(/building the native addon: (\d+) of \1 sources/);
      expect(text).toMatch(/^models-sd1: U-Net output +1 +\S+ +1\.0e-4 +ok +unet\.output$/m);
      expect(text).toMatch(/^train batch 2 +plain +[\d.]+/m);
      expect(text).toMatch(/gpu-check: all is well/);
      const report = reportIn("first");
      expect(report).toMatchObject({ device: "cpu", problems: [] });
      expect(report.parity.length).toBeGreaterThan(10);
      for (const { comparisons } of report.parity)
        for (const { error, tolerance } of comparisons) expect(error).toBeLessThanOrEqual(tolerance);
      expect(report.bench.rows.length).toBeGreaterThan(10);
      for (const row of report.bench.rows) expect(row).toMatchObject({ milliseconds: expect.any(Number) });
      // Where Python cannot import the torch that only the library was wanted of, its columns are left out, and told.
      const hasPython = report.torch.importError === undefined;
      expect(
        report.bench.rows.every((row) => (row.python !== undefined && row.python !== null) === hasPython),
      ).toBe(true);
      if (!hasPython) expect(text).toContain("no Python columns");
      const table = readFileSync(inHome("first", "table.txt"), "utf8");
      expect(text).toContain(table.split("\n")[0]);
      for (const name of ["build.log", "parity.log", "bench.log", "gpu-check.log"])
        expect(existsSync(inHome("first", name))).toBe(true);
      expect(readdirSync(inHome("empty-home"))).toEqual([]);
    },
  );

  it(
    "does not build again, and tells a wrong number by its exit code",
    { timeout: 3 * MINUTES },
    async () => {
      const broken = inHome("broken-golden");
      cpSync(join(unpacked, "test/golden"), broken, { recursive: true });
      const path = join(broken, "train.json");
      const golden = JSON.parse(readFileSync(path, "utf8")) as { stage1: { loss: number }[] };
      golden.stage1[3]!.loss += 0.01;
      writeFileSync(path, JSON.stringify(golden));
      const args = ["--device", "cpu", "--skip-bench", "--quick", "--out", inHome("broken")];
      const { code, text } = await onHost("gpu-check.sh", args, { GOLDEN_DIR: broken });
      expect({ code, text }).toMatchObject({ code: 2 });
      expect(text).toContain("addon up to date");
      expect(text).toMatch(/^train, stage1: loss +6 +\S+ +1\.0e-4 +FAILED \(1\) +step 3$/m);
      expect(text).toMatch(/gpu-check: FAILED .*\n {2}training: 1 of \d+ values outside/);
      expect(reportIn("broken").problems).toHaveLength(2);
    },
  );

  it(
    "says what is missing: card, Python, torch, compiler, folder, option",
    { timeout: 2 * MINUTES },
    async () => {
      const check = async (args: string[], env: NodeJS.ProcessEnv, message: RegExp) => {
        const result = await onHost("gpu-check.sh", ["--out", inHome("missing"), ...args], env);
        expect(result).toMatchObject({ code: 1, text: expect.stringMatching(message) });
      };
      await check([], {}, /build without CUDA|sees no CUDA card.*--device cpu/s);
      await check(["--python", inHome("no-python")], {}, /No torch was found.*no-python: not found/s);
      await check(["--device", "cpu"], { PYTHONPATH: "" }, /No torch was found|torch/);
      const old = inHome("old", "torch");
      for (const name of ["lib/libtorch_cpu.so", "lib/libc10.so", "include/ATen/ATen.h", "__init__.py"]) {
        mkdirSync(dirname(join(old, name)), { recursive: true });
        writeFileSync(join(old, name), "");
      }
      writeFileSync(join(old, "version.py"), "__version__ = '2.3.1'\n");
      await check(["--device", "cpu"], { PYTHONPATH: inHome("old") }, /version 2\.3\.1.*2\.4.*--python/s);
      const without = programs("bin-without-compiler", ["sh", "dirname", "uname"]);
      await check(["--device", "cpu"], { PATH: without }, /No C\+\+ compiler found.*apt install g\+\+/s);
      writeFileSync(inHome("file"), "");
      await check(["--device", "cpu", "--out", inHome("file", "x")], {}, /cannot be|can be written.*--out/s);
      await check(["--devise", "cpu"], {}, /--devise.*--help/s);
      const help = await onHost("gpu-check.sh", ["--help"]);
      expect(help).toMatchObject({ code: 0, text: expect.stringContaining("--skip-parity") });
    },
  );

  it("stops at Ctrl-C with all that it started", { timeout: 2 * MINUTES }, async () => {
    const args = ["--device", "cpu", "--skip-bench", "--out", inHome("stopped")];
    const child = spawn(join(unpacked, "gpu-check.sh"), args, {
      env: hostEnv(),
      stdio: ["ignore", "pipe", "pipe"],
    });
    let text = "";
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
      if (chunk.includes("parity: ")) child.kill("SIGINT");
    });
    const [code] = (await once(child, "close")) as [number];
    expect({ code, text }).toMatchObject({ code: 130, text: expect.stringContaining("interrupted") });
    expect(commandLines().filter((line) => line.includes(unpacked))).toEqual([]);
  });
});

describe("the rest of the bundle", () => {
  it("runs the command line, also after the folder has moved", { timeout: 12 * MINUTES }, async () => {
    const version = await onHost("invdiff", ["--version"]);
    expect(version).toMatchObject({ code: 0, text: expect.stringMatching(/^\d+\.\d+\.\d+/) });
    const moved = inHome("moved here");
    renameSync(unpacked, moved);
    unpacked = moved;
    const groups = [
      "sample",
      "--model",
      join(moved, "test/golden/tiny-sd1"),
      "--prompt",
      "a bird",
      "--steps",
      "2",
    ];
    const sampled = await onHost("invdiff", [...groups, "--out", inHome("samples")]);
    expect({ ...sampled }).toMatchObject({ code: 0 });
    const built = await onHost("gpu-check.sh", ["--build-only", "--device", "cpu", "--out", inHome("built")]);
    expect(built).toMatchObject({ code: 0, text: expect.stringContaining("addon up to date") });
  });

  it("can load every module of the library", async () => {
    const script = `
      import { readdirSync } from "node:fs";
      const root = ${JSON.stringify(join(unpacked, "dist"))};
      const names = readdirSync(root, { recursive: true }).filter((name) => name.endsWith(".js"));
      const apart = /(worker|main)\\.js$/;
      for (const name of names) if (!apart.test(name)) await import(root + "/" + name);
      await Promise.all(["echarts", "sharp", "@huggingface/hub"].map((name) => import(import.meta.resolve(name, "file://" + root + "/x.js"))));
      console.log("loaded " + names.length);`;
    const file = join(unpacked, "load-all.mjs");
    writeFileSync(file, script);
    const node = join(unpacked, "bin/node");
    const { code, text } = await ended(node, [file], { env: hostEnv(), cwd: home });
    rmSync(file);
    expect({ code, text }).toMatchObject({ code: 0, text: expect.stringMatching(/loaded \d{3}/) });
  });
});
