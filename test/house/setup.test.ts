// The set-up: finding libtorch, knowing what is stale, one set-up at a time, clear refusals.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { checkSystem, describeFailure } from "../../scripts/bootstrap.mjs";
import {
  buildAddon,
  compileFlags,
  cudaOf,
  findCompiler,
  linkFlags,
  planBuild,
} from "../../scripts/build-addon.mjs";
import { isDistFresh, sourceHash } from "../../scripts/build-dist.mjs";
import { findCuda } from "../../scripts/cuda-headers.mjs";
import { isNotOffered, pipAttempts } from "../../scripts/install-libtorch.mjs";
import { reasonToInstall } from "../../scripts/install-packages.mjs";
import type { Libtorch } from "../../scripts/locate-libtorch.mjs";
import {
  SetupError,
  inspectLibtorch,
  libraryName,
  locateLibtorch,
  versionAtLeast,
} from "../../scripts/locate-libtorch.mjs";
import { isStale, withLock } from "../../scripts/setup-lock.mjs";
import { ROOT } from "./files.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "invdiff-setup-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function write(path: string, text: string): string {
  const full = join(folder, path);
  mkdirSync(dirname(full), { recursive: true });
  writeFileSync(full, text);
  return full;
}

const NEW_ABI = "_ZN3c105ErrorC1ENS_14SourceLocationENSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE";

/** A folder that looks like libtorch. */
function fakeLibtorch(
  place: string,
  { version = "2.13.0+cpu", symbols = NEW_ABI, cuda = false } = {},
): string {
  write(`${place}/lib/${libraryName("torch_cpu")}`, "");
  write(`${place}/lib/${libraryName("c10")}`, `\0${symbols}\0`);
  write(`${place}/include/ATen/ATen.h`, "");
  write(
    `${place}/version.py`,
    `__version__ = '${version}'\ncuda: Optional[str] = ${cuda ? "'12.8'" : "None"}\n`,
  );
  if (cuda) for (const name of ["torch_cuda", "c10_cuda"]) write(`${place}/lib/${libraryName(name)}`, "");
  return join(folder, place);
}

const nothing = { findPythonTorch: () => undefined, env: {} };

describe("locateLibtorch", () => {
  it("takes LIBTORCH, then Python's torch, then .libtorch/", () => {
    const env = { LIBTORCH: fakeLibtorch("given") };
    const python = fakeLibtorch("python");
    const findPythonTorch = () => python;
    fakeLibtorch(".libtorch/torch");
    expect(locateLibtorch({ root: folder, env, findPythonTorch })?.source).toBe("LIBTORCH");
    expect(locateLibtorch({ root: folder, env: {}, findPythonTorch })?.source).toBe("python");
    expect(locateLibtorch({ root: folder, ...nothing })?.source).toBe(".libtorch");
    expect(locateLibtorch({ root: join(folder, "empty"), ...nothing })).toBeUndefined();
  });

  it("says what LIBTORCH lacks when it points nowhere", () => {
    const env = { LIBTORCH: join(folder, "nowhere") };
    expect(() => locateLibtorch({ root: folder, env })).toThrow(
      /nowhere.*missing lib\/.*\n.*2\.4.*\n.*LIBTORCH/,
    );
  });

  it("refuses a libtorch older than 2.4, saying what was given, expected and to do", () => {
    const env = { LIBTORCH: fakeLibtorch("old", { version: "2.3.1" }) };
    expect(() => locateLibtorch({ root: folder, env })).toThrow(
      /2\.3\.1; expected 2\.4 or newer\.\nSet LIBTORCH/,
    );
  });

  it("passes over an old torch of Python and says so", () => {
    const old = fakeLibtorch("python", { version: "1.13.1" });
    const notes: string[] = [];
    const note = (text: string) => notes.push(text);
    expect(locateLibtorch({ root: folder, env: {}, findPythonTorch: () => old, note })).toBeUndefined();
    expect(notes.join()).toContain("1.13.1");
  });

  it("reads version, CUDA and string ABI", () => {
    const cuda = inspectLibtorch(fakeLibtorch("a", { version: "2.5.1+cu128", cuda: true }), "LIBTORCH");
    expect(cuda).toMatchObject({ version: "2.5.1+cu128", cuda: "12.8", cxx11Abi: true });
    const old = inspectLibtorch(fakeLibtorch("b", { symbols: "_ZN3c105ErrorC1ESs" }), "LIBTORCH");
    expect(old).toMatchObject({ cuda: null, cxx11Abi: process.platform === "darwin" });
    rmSync(join(folder, "a/version.py"));
    write("a/build-version", "2.6.0+cu126\n");
    expect(inspectLibtorch(join(folder, "a"), "LIBTORCH")).toMatchObject({
      version: "2.6.0+cu126",
      cuda: "12.6",
    });
  });

  it.each([
    ["2.4.0", true],
    ["2.13.0+cpu", true],
    ["3.0.0", true],
    ["2.3.9", false],
    ["1.13.1", false],
  ])("%s is new enough: %s", (version, enough) => expect(versionAtLeast(version, "2.4")).toBe(enough));
});

describe("buildAddon", () => {
  const make = (place = "libtorch", options = {}): Libtorch =>
    inspectLibtorch(fakeLibtorch(place, options), "LIBTORCH");

  /** A compiler that writes its output file, or fails. */
  function fakeCompiler(body = 'for a; do [ "$p" = "-o" ] && echo object > "$a"; p="$a"; done'): {
    CXX: string;
  } {
    const path = write("cxx", `#!/bin/sh\n[ "$1" = "--version" ] && exit 0\n${body}\n`);
    spawnSync("chmod", ["+x", path]);
    return { CXX: path };
  }

  beforeEach(() => {
    write("node_modules/node-api-headers/include/node_api.h", "");
    write("native/a.cc", "a");
    write("native/b.cc", "b");
    write("native/common.h", "h");
  });

  it("compiles only what changed", async () => {
    const options = { root: folder, libtorch: make(), env: fakeCompiler() };
    expect(await buildAddon(options)).toMatchObject({ compiled: 2, fresh: false });
    expect(await buildAddon(options)).toMatchObject({ compiled: 0, fresh: true });
    write("native/a.cc", "a2");
    expect(await buildAddon(options)).toMatchObject({ compiled: 1, fresh: false });
    write("native/common.h", "h2");
    expect(await buildAddon(options)).toMatchObject({ compiled: 2 });
    expect(await buildAddon({ ...options, libtorch: make("other") })).toMatchObject({ compiled: 2 });
    rmSync(join(folder, "build/invdiff.node"));
    expect(await buildAddon({ ...options, libtorch: make("other") })).toMatchObject({
      compiled: 0,
      fresh: false,
    });
  });

  it("tells the compiler's own words, and keeps the old addon when the new one fails", async () => {
    const libtorch = make();
    await buildAddon({ root: folder, libtorch, env: fakeCompiler() });
    write("native/a.cc", "broken");
    const env = fakeCompiler("echo 'a.cc:1: error: no such thing' >&2; exit 1");
    await expect(buildAddon({ root: folder, libtorch, env })).rejects.toThrow(
      /native\/a\.cc failed[^]*no such thing/,
    );
    expect(existsSync(join(folder, "build/invdiff.node"))).toBe(true);
  });

  it("says what to install when there is no compiler", () => {
    expect(() => findCompiler({ CXX: join(folder, "no-such-compiler") })).toThrow(/apt install g\+\+/);
  });

  it("links CUDA libraries only when they are there, and follows the string ABI", () => {
    expect(linkFlags(make()).join(" ")).not.toContain("cuda");
    expect(linkFlags(make("gpu", { cuda: true }))).toEqual(
      expect.arrayContaining(["-ltorch_cuda", "-lc10_cuda"]),
    );
    const old = { ...make(), cxx11Abi: false };
    expect(compileFlags(folder, old)).toContain("-D_GLIBCXX_USE_CXX11_ABI=0");
  });

  it("takes CUDA's part only for a libtorch with CUDA, and the kernels only with NVRTC's header", () => {
    for (const name of ["cuda.cc", "kernels/norm.cc", "kernels/norm.cu.h", "simulated/device.cc"])
      write(`native/${name}`, name);
    const names = (libtorch: Libtorch, env = {}) =>
      planBuild({ root: folder, libtorch, env }).objects.map(({ source }) =>
        source.slice(join(folder, "native/").length),
      );
    const cuda = make("site/torch", { cuda: true });
    expect(names(make())).toEqual(["a.cc", "b.cc"]);
    cudaHeaders("site/nvidia/cuda_runtime/include", 12080);
    expect(names(cuda)).toEqual(["a.cc", "b.cc", "cuda.cc"]);
    write("site/nvidia/cuda_nvrtc/include/nvrtc.h", "");
    expect(names(cuda)).toEqual(["a.cc", "b.cc", "cuda.cc", "kernels/norm.cc"]);
    expect(names(cuda, { INVDIFF_CUDA: "0" })).toEqual(["a.cc", "b.cc"]);
    const before = planBuild({ root: folder, libtorch: cuda, env: {} }).key;
    write("native/kernels/norm.cu.h", "changed");
    expect(planBuild({ root: folder, libtorch: cuda, env: {} }).key).not.toBe(before);
  });
});

/** A folder that looks like CUDA's headers. */
function cudaHeaders(place: string, version: number): string {
  write(`${place}/cuda_runtime_api.h`, `#define CUDART_VERSION  ${version}\n`);
  return join(folder, place);
}

describe("findCuda", () => {
  const libtorch = (): Libtorch =>
    inspectLibtorch(fakeLibtorch("lib/python3.12/site-packages/torch", { cuda: true }), "LIBTORCH");
  const packages = "lib/python3.12/site-packages/nvidia";

  it("takes Python's packages beside torch, in both layouts, with their libraries for the loader", () => {
    const runtime = cudaHeaders(`${packages}/cuda_runtime/include`, 12080);
    const nvrtc = dirname(write(`${packages}/cuda_nvrtc/include/nvrtc.h`, ""));
    const library = dirname(write(`${packages}/cuda_runtime/lib/libcudart.so.12`, ""));
    expect(findCuda(libtorch(), {})).toEqual({
      ...{ folders: [runtime, nvrtc], libraries: [library], nvrtc: true },
    });
    const newer = cudaHeaders(`${packages}/cu12/include`, 12090);
    write(`${packages}/cu12/include/nvrtc.h`, "");
    expect(findCuda(libtorch(), {}).folders).toEqual([newer]);
    const cuda = cudaOf(libtorch(), {})!;
    const flags = compileFlags(folder, libtorch(), cuda);
    expect(flags).toEqual(expect.arrayContaining(["-DINVDIFF_CUDA=1", "-DINVDIFF_NVRTC=1", newer]));
    expect(flags.at(-1)).toBe(join(folder, "native/crt-stand-in"));
    expect(linkFlags(libtorch(), cuda)).toContain(`-Wl,-rpath,${library}`);
  });

  it("takes a toolkit of the same major version: what CUDA_HOME names, or the environment's own", () => {
    const own = cudaHeaders("targets/x86_64-linux/include", 12060);
    expect(findCuda(libtorch(), {})).toEqual({ folders: [own], libraries: [], nvrtc: false });
    const named = cudaHeaders("toolkit/include", 12040);
    const env = { CUDA_HOME: join(folder, "toolkit") };
    expect(findCuda(libtorch(), env).folders).toEqual([named]);
    cudaHeaders("toolkit/include", 13000);
    expect(findCuda(libtorch(), env).folders).toEqual([own]);
  });

  it("says where it looked, what does not fit and what to do", () => {
    const env = { CUDA_HOME: join(folder, "toolkit") };
    const other = cudaHeaders("toolkit/include", 11080);
    const ask = () => findCuda({ ...libtorch(), cuda: "99.1" }, env);
    expect(ask).toThrow(SetupError);
    expect(ask).toThrow(/built for CUDA.*cuda_runtime_api\.h of CUDA 99 is in none of/s);
    expect(ask).toThrow(`CUDA 11 in ${other}`);
    expect(ask).toThrow(/CUDA_HOME=.*INVDIFF_CUDA=0/s);
    expect(cudaOf({ ...libtorch(), cuda: "99.1" }, { INVDIFF_CUDA: "0" })).toBeUndefined();
    expect(cudaOf({ ...libtorch(), cuda: null }, {})).toBeUndefined();
  });
});

describe("installPackages", () => {
  const lock = (version: string, more = {}) =>
    JSON.stringify({ packages: { "": {}, "node_modules/a": { version }, ...more } });

  it("installs when node_modules is missing, half installed or older than the lock", () => {
    write("package-lock.json", lock("1.0.0"));
    expect(reasonToInstall(folder)).toMatch(/missing/);
    mkdirSync(join(folder, "node_modules"));
    expect(reasonToInstall(folder)).toMatch(/incomplete/);
    write("node_modules/.package-lock.json", lock("1.0.0"));
    expect(reasonToInstall(folder)).toBeUndefined();
    expect(readFileSync(join(folder, "node_modules/.invdiff-stamp"), "utf8")).toHaveLength(64);
    write("package-lock.json", lock("2.0.0"));
    expect(reasonToInstall(folder)).toMatch(/changed \(a\)/);
  });

  it("does not miss optional packages of other platforms", () => {
    write("node_modules/.package-lock.json", lock("1.0.0"));
    write(
      "package-lock.json",
      lock("1.0.0", { "node_modules/mac-only": { version: "1.0.0", optional: true } }),
    );
    expect(reasonToInstall(folder)).toBeUndefined();
  });
});

describe("installing libtorch", () => {
  it("asks for a CPU build without GPU, the ordinary build with its dependencies with one", () => {
    const cpu = pipAttempts({ gpu: false, platform: "linux" }).map((attempt) => attempt.args.join(" "));
    expect(cpu).toHaveLength(3);
    expect(cpu[0]).toBe("--no-deps torch==2.13.0+cpu");
    expect(cpu[1]).toContain("download.pytorch.org/whl/cpu");
    expect(pipAttempts({ gpu: true })).toEqual([{ args: ["torch==2.13.0"], what: expect.any(String) }]);
  });

  it("tries the next place only when pip does not offer it", () => {
    expect(isNotOffered("ERROR: No matching distribution found for torch==2.13.0+cpu")).toBe(true);
    expect(isNotOffered("ERROR: [Errno 28] No space left on device")).toBe(false);
  });
});

describe("dist", () => {
  it("is stale when a source or a setting changes, not when a test does", () => {
    for (const name of ["tsconfig.json", "tsconfig.build.json", "package-lock.json", "src/a/x.ts"])
      write(name, "1");
    write("dist/.stamp", sourceHash(folder));
    expect(isDistFresh(folder)).toBe(true);
    write("src/a/x.test.ts", "2");
    expect(isDistFresh(folder)).toBe(true);
    write("src/a/y.ts", "");
    expect(isDistFresh(folder)).toBe(false);
    write("dist/.stamp", sourceHash(folder));
    write("tsconfig.json", "2");
    expect(isDistFresh(folder)).toBe(false);
  });
});

describe("withLock", () => {
  it("lets one in at a time", async () => {
    const path = join(folder, "build/setup.lock");
    let inside = 0;
    let most = 0;
    const work = async () => {
      most = Math.max(most, ++inside);
      await new Promise((resolve) => setTimeout(resolve, 5));
      inside--;
    };
    await Promise.all([1, 2, 3, 4].map(() => withLock(path, work, { pollMs: 2 })));
    expect(most).toBe(1);
    expect(existsSync(path)).toBe(false);
  });

  it("is released when the work throws", async () => {
    const path = join(folder, "setup.lock");
    const fail = () => Promise.reject(new Error("no"));
    await expect(withLock(path, fail)).rejects.toThrow("no");
    expect(existsSync(path)).toBe(false);
  });

  it("takes over from a killed process, not from a living one", async () => {
    const path = join(folder, "setup.lock");
    const script = `import { withLock } from ${JSON.stringify(join(ROOT, "scripts/setup-lock.mjs"))};
      await withLock(${JSON.stringify(path)}, () => { console.log("held"); return new Promise((r) => setTimeout(r, 60000)); });`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await once(child.stdout, "data");
    expect(isStale(readFileSync(path, "utf8"))).toBe(false);
    const wait = withLock(path, () => "mine", { waitMs: 30, pollMs: 10 });
    await expect(wait).rejects.toThrow(/still holds/);
    child.kill("SIGKILL");
    await once(child, "exit");
    expect(await withLock(path, () => "mine")).toBe("mine");
  });

  it("does not take a reused process number for the owner", () => {
    const owner = { pid: process.pid, host: hostname(), started: "1" };
    expect(isStale(JSON.stringify(owner))).toBe(existsSync("/proc/self/stat"));
    expect(isStale("not json")).toBe(true);
    expect(isStale(JSON.stringify({ ...owner, host: "another-machine" }))).toBe(false);
  });
});

describe("failures", () => {
  it("end with 1 for the user's environment and 2 for ours", () => {
    expect(describeFailure(new SetupError("no compiler"))).toEqual({ text: "no compiler", exitCode: 1 });
    expect(describeFailure(new SetupError("bug", { exitCode: 2 })).exitCode).toBe(2);
    expect(describeFailure(Object.assign(new Error("full"), { code: "ENOSPC" }))).toMatchObject({
      exitCode: 1,
    });
    expect(describeFailure(new TypeError("bug")).exitCode).toBe(2);
  });

  it("name the Node version and the system", () => {
    expect(() => checkSystem({ node: "18.19.0" })).toThrow(/18\.19\.0.*20/);
    expect(() => checkSystem({ platform: "win32" })).toThrow(/WSL/);
    expect(() => checkSystem({ node: "22.0.0", platform: "linux" })).not.toThrow();
  });
});
