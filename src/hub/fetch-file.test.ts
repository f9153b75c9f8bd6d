// Single files against a server with faults: what is asked for again, what is kept, and what is given up with which words.
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type HubServer, sha256, startHub, testBytes } from "../../test/hub-server.ts";
import { downloadFile, type DownloadFileRequest } from "./download-file.ts";
import { DownloadError, RefusedError, WrongBytesError } from "./errors.ts";

const RETRY = { retries: 3, backoffMs: 1, maxWaitMs: 1500 };
const bytes = testBytes(300_000);

let hub: HubServer;
let folder = "";
beforeEach(async () => {
  hub = await startHub();
  hub.plain.set("/file.pth", bytes);
  folder = mkdtempSync(join(tmpdir(), "invdiff-hub-"));
});
afterEach(async () => {
  await hub[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

const to = () => join(folder, "file.pth");
const part = () => `${to()}.incomplete`;
const fetchIt = (more: Partial<DownloadFileRequest> = {}) =>
  downloadFile({ url: `${hub.url}/file.pth`, to: to(), retry: RETRY, ...more });
const ranges = () => hub.seen.map(({ range }) => range);

describe("a download that is cut", () => {
  it("goes on at the byte where it was cut, with the ETag of the first answer", async () => {
    hub.fault = (_, attempt) => (attempt < 4 ? { cutAfter: 70_000 } : undefined);
    const { size, sha256: hash, kept } = await fetchIt();
    expect(readFileSync(to()).equals(bytes)).toBe(true);
    expect({ size, hash, kept }).toEqual({ size: bytes.length, hash: sha256(bytes), kept: false });
    expect(ranges()).toEqual([undefined, "bytes=70000-", "bytes=140000-", "bytes=210000-"]);
    expect(new Set(hub.seen.slice(1).map(({ ifRange }) => ifRange))).toEqual(
      new Set([`"${sha256(bytes).slice(0, 16)}"`]),
    );
    expect(existsSync(part()) || existsSync(`${part()}.json`) || existsSync(`${part()}.lock`)).toBe(false);
  });

  it("comes out the same wherever the cuts are", async () => {
    const cuts = fc.array(fc.integer({ min: 0, max: bytes.length }), { maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(cuts, fc.boolean(), async (at, isChecked) => {
        rmSync(to(), { force: true });
        let answers = 0;
        hub.fault = () => {
          const cutAfter = at[answers++];
          return cutAfter === undefined ? undefined : { cutAfter };
        };
        const retry = { ...RETRY, retries: 8 };
        await fetchIt({ retry, sha256: isChecked ? sha256(bytes) : undefined });
        expect(readFileSync(to()).equals(bytes)).toBe(true);
      }),
      { seed: 5, numRuns: 12 },
    );
  });

  it("keeps what has arrived when it gives up, and the next call goes on from there", async () => {
    hub.fault = (_, attempt) => (attempt === 1 ? { cutAfter: 100_000 } : { status: 503 });
    const error: unknown = await fetchIt().catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(DownloadError);
    expect(String(error)).toMatch(/status 503.*4 times in a row.*same command again/);
    expect(statSync(part()).size).toBe(100_000);
    hub.fault = () => undefined;
    await fetchIt();
    expect(ranges().at(-1)).toBe("bytes=100000-");
    expect(readFileSync(to()).equals(bytes)).toBe(true);
  });

  it("starts anew when the server ignores ranges, and gives up when it never gets further", async () => {
    hub.fault = (_, attempt) => (attempt === 1 ? { cutAfter: 100_000 } : { ignoreRange: true });
    await fetchIt();
    expect(readFileSync(to()).equals(bytes)).toBe(true);
    rmSync(to());
    hub.fault = () => ({ cutAfter: 100_000, ignoreRange: true });
    await expect(fetchIt()).rejects.toThrow(/connection.*4 times in a row/);
  });

  it("takes a new file whole when the file has changed between the tries", async () => {
    const newer = testBytes(250_000, 7);
    hub.fault = (_, attempt) => (attempt === 1 ? { cutAfter: 90_000 } : { bytes: newer });
    await fetchIt();
    expect(readFileSync(to()).equals(newer)).toBe(true);
  });

  it("drops the part when the server sends a part of another file in spite of If-Range", async () => {
    const newer = testBytes(300_000, 7);
    hub.fault = (_, attempt) => {
      if (attempt === 1) return { cutAfter: 90_000, etag: '"old"' };
      // Says the old ETag to the condition, then answers with the new one.
      return attempt === 2
        ? { bytes: newer, etag: '"old"', headers: { etag: '"new"' } }
        : { bytes: newer, etag: '"new"' };
    };
    await fetchIt();
    expect(readFileSync(to()).equals(newer)).toBe(true);
    expect(ranges()).toEqual([undefined, "bytes=90000-", undefined]);
  });

  it("does not trust a part that nothing vouches for", async () => {
    writeFileSync(part(), testBytes(1000, 9));
    await fetchIt();
    expect(ranges()).toEqual([undefined]);
    expect(readFileSync(to()).equals(bytes)).toBe(true);
  });

  it("stops when asked, keeps the part, and goes on", async () => {
    hub.fault = () => ({ throttle: [20_000, 10] });
    const controller = new AbortController();
    const reason = new Error("stopped");
    const onProgress = ({ done }: { done: number }) => done > 100_000 && controller.abort(reason);
    await expect(fetchIt({ signal: controller.signal, onProgress })).rejects.toBe(reason);
    const held = statSync(part()).size;
    expect(held).toBeGreaterThan(100_000);
    await fetchIt();
    expect(ranges().at(-1)).toBe(`bytes=${held}-`);
    expect(readFileSync(to()).equals(bytes)).toBe(true);
  });
});

describe("bytes", () => {
  it.each(["sha256", "sha256Prefix"] as const)("that are wrong once are fetched again (%s)", async (key) => {
    hub.fault = (_, attempt) => (attempt === 1 ? { bytes: testBytes(300_000, 3) } : undefined);
    const notes: string[] = [];
    const hash = key === "sha256" ? sha256(bytes) : sha256(bytes).slice(0, 8);
    await fetchIt({ [key]: hash, onNote: (text) => notes.push(text) });
    expect(readFileSync(to()).equals(bytes)).toBe(true);
    expect(notes.join()).toMatch(/file\.pth came with wrong bytes .*once more/);
  });

  it("that are wrong twice are deleted and reported with both hashes", async () => {
    const error: unknown = await fetchIt({ sha256Prefix: "01234567" }).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(WrongBytesError);
    expect(String(error)).toContain(sha256(bytes));
    expect(String(error)).toMatch(/wrong bytes twice.*expected 01234567.*deleted/);
    expect(existsSync(to()) || existsSync(part())).toBe(false);
  });

  it("of a part that was damaged on the disk are found", async () => {
    hub.fault = (_, attempt) => (attempt === 1 ? { cutAfter: 100_000 } : { status: 500 });
    await expect(fetchIt({ sha256: sha256(bytes) })).rejects.toThrow(DownloadError);
    const damaged = readFileSync(part());
    damaged[50] = (damaged[50] ?? 0) ^ 1;
    writeFileSync(part(), damaged);
    hub.fault = () => undefined;
    await fetchIt({ sha256: sha256(bytes) });
    expect(readFileSync(to()).equals(bytes)).toBe(true);
  });

  it("that are too many or too few against the known size are not taken", async () => {
    await expect(fetchIt({ size: bytes.length - 1 })).rejects.toThrow(
      /300000 bytes were offered, expected 299999/,
    );
    await expect(fetchIt({ size: bytes.length + 1 })).rejects.toThrow(/expected 300001/);
  });

  it("that are all there need no request; those of an earlier end neither", async () => {
    writeFileSync(part(), bytes);
    await fetchIt({ sha256: sha256(bytes), size: bytes.length });
    const { kept } = await fetchIt({ sha256: sha256(bytes) });
    expect({ kept, requests: hub.seen.length }).toEqual({ kept: true, requests: 0 });
    // Without the size one request says that there is no more.
    rmSync(to());
    writeFileSync(part(), bytes);
    await fetchIt({ sha256: sha256(bytes) });
    expect(ranges()).toEqual(["bytes=300000-"]);
  });

  it("of another file in the place are not replaced without force", async () => {
    writeFileSync(to(), "mine");
    await expect(fetchIt({ sha256: sha256(bytes) })).rejects.toThrow(
      /not the file that was asked for.*--force/,
    );
    expect(readFileSync(to(), "utf8")).toBe("mine");
    await fetchIt({ sha256: sha256(bytes), force: true });
    expect(readFileSync(to()).equals(bytes)).toBe(true);
  });
});

describe("a server", () => {
  it("that is slow but alive is waited for; one that says nothing is given up", async () => {
    hub.fault = () => ({ throttle: [60_000, 60] });
    await fetchIt({ stallMs: 150 });
    rmSync(to());
    hub.fault = (_, attempt) => (attempt % 2 === 0 ? { stallAfter: 80_000 } : undefined);
    await fetchIt({ stallMs: 100 });
    expect(readFileSync(to()).equals(bytes)).toBe(true);
    rmSync(to());
    hub.fault = () => ({ stallAfter: 0 });
    await expect(fetchIt({ stallMs: 30 })).rejects.toThrow(
      /nothing arrived from 127\.0\.0\.1:\d+ for 0 s, 4 times/,
    );
  });

  it("that asks to wait is obeyed", async () => {
    hub.fault = (_, attempt) =>
      attempt === 1 ? { status: 429, headers: { "retry-after": "1" } } : undefined;
    const notes: string[] = [];
    const start = performance.now();
    await fetchIt({ onNote: (text) => notes.push(text) });
    expect(performance.now() - start).toBeGreaterThan(950);
    expect(notes).toEqual([
      expect.stringMatching(/asks for fewer requests \(status 429\); trying again in 1 s \(1 of 3\)/),
    ]);
    rmSync(to());
    hub.fault = () => ({ status: 429, headers: { "retry-after": "7200" } });
    await expect(fetchIt()).rejects.toThrow(/asks to wait 120 minutes/);
  });

  it("that is not there is tried again, then named", async () => {
    const { url } = hub;
    await hub[Symbol.asyncDispose]();
    await expect(fetchIt({ url: `${url}/file.pth` })).rejects.toThrow(
      /127\.0\.0\.1:\d+: the connection was refused, 4 times/,
    );
  });

  it.each([
    [404, /answered 404 for file\.pth.*--url.*INVDIFF_MIRROR/],
    [401, /answered 401.*HF_TOKEN/],
    [403, /answered 403.*HF_TOKEN/],
    [418, /answered 418.*cannot be had/],
  ])("that answers %d is asked once", async (status, words) => {
    hub.fault = () => ({ status });
    const error: unknown = await fetchIt().catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(RefusedError);
    expect(String(error)).toMatch(words);
    expect(hub.seen.length).toBe(1);
  });
});

describe("redirects", () => {
  const redirect = (location: string) => (path: string) =>
    path === "/moved" ? { status: 302, headers: { location } } : undefined;
  beforeEach(() => hub.plain.set("/moved", Buffer.alloc(0)));

  it("are followed, and the token stays with its own server", async () => {
    hub.fault = redirect(`${hub.otherUrl}/file.pth`);
    await fetchIt({ url: `${hub.url}/moved`, token: "secret" });
    expect(hub.seen.map(({ path, authorization }) => [path, authorization])).toEqual([
      ["/moved", "Bearer secret"],
      ["/file.pth", undefined],
    ]);
    expect(hub.seen[1]?.host).toMatch(/^localhost/);
    rmSync(to());
    hub.fault = redirect("/file.pth");
    await fetchIt({ url: `${hub.url}/moved`, token: "secret" });
    expect(hub.seen.at(-1)).toMatchObject({ path: "/file.pth", authorization: "Bearer secret" });
  });

  it("in a circle, or to what is no web address, end with an error", async () => {
    hub.fault = redirect("/moved");
    await expect(fetchIt({ url: `${hub.url}/moved` })).rejects.toThrow(/redirected more than 10 times/);
    hub.fault = redirect("file:///etc/passwd");
    await expect(fetchIt({ url: `${hub.url}/moved` })).rejects.toThrow(/no http/);
  });
});

describe("two calls for one file", () => {
  it("fetch it once", async () => {
    hub.fault = () => ({ throttle: [100_000, 20] });
    const notes: string[] = [];
    const results = await Promise.all([fetchIt(), fetchIt({ onNote: (text) => notes.push(text) })]);
    expect(results.map(({ kept }) => kept).sort()).toEqual([false, true]);
    expect(hub.seen.length).toBe(1);
    expect(notes.length <= 1).toBe(true);
  });

  it("are not held up by the lock of a process that is gone", async () => {
    writeFileSync(
      `${part()}.lock`,
      JSON.stringify({ pid: 2 ** 30, host: (await import("node:os")).hostname() }),
    );
    await fetchIt();
    expect(readFileSync(to()).equals(bytes)).toBe(true);
  });
});

it("says beforehand that the disk is too full", async () => {
  const { checkRoom } = await import("./disk-room.ts");
  expect(() => checkRoom("/x", 5e9, "the model", 1e9)).toThrow(
    /needs 5\.0 GB more at \/x, where 1\.0 GB are free.*HF_HOME/,
  );
  expect(() => checkRoom("/x", 1e9, "the model", 1e9)).not.toThrow();
});
