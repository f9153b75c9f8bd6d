// A server like the hub on this machine: the API of repositories, files with and without LFS, a second host name for redirects, and
// every fault that a network has.
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

export interface HubFile {
  readonly bytes: Buffer;
  /** Large files are known by SHA-256 and come from the other host; small ones by git's SHA-1, directly. */
  readonly lfs?: boolean;
}

export interface HubRepo {
  readonly type: "model" | "dataset";
  readonly name: string;
  readonly commit: string;
  readonly files: Readonly<Record<string, HubFile>>;
  /** Branches and tags; default: main. */
  readonly revisions?: readonly string[];
  readonly token?: string;
  readonly gated?: boolean;
}

/** What one answer to a request for bytes does wrong. */
export interface Fault {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Ends the connection after so many bytes of this answer. */
  readonly cutAfter?: number;
  /** Sends nothing more after so many bytes of this answer. */
  readonly stallAfter?: number;
  readonly bytes?: Buffer;
  readonly ignoreRange?: boolean;
  readonly etag?: string;
  /** Bytes at once, and the pause after them. */
  readonly throttle?: readonly [bytes: number, ms: number];
}

export interface Seen {
  readonly host: string;
  readonly path: string;
  readonly authorization: string | undefined;
  readonly range: string | undefined;
  readonly ifRange: string | undefined;
}

export interface HubServer extends AsyncDisposable {
  /** http://127.0.0.1:PORT and http://localhost:PORT, which are two origins. */
  readonly url: string;
  readonly otherUrl: string;
  /** All requests so far. */
  readonly seen: Seen[];
  /** Files outside of repositories, by path. */
  readonly plain: Map<string, Buffer>;
  readonly repos: HubRepo[];
  /** Asked before every answer with bytes; `attempt` counts from 1 for each path. */
  fault: (path: string, attempt: number) => Fault | undefined;
  /** Asked before every answer of the API. */
  apiFault: (attempt: number) => Fault | undefined;
  /** Entries on a page of a listing. */
  pageSize: number;
  /** Bytes requests under way at once, at most so far. */
  readonly peak: () => number;
}

export const sha256 = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");
export const gitSha1 = (bytes: Buffer): string =>
  createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex");
const hashOf = ({ bytes, lfs }: HubFile): string => (lfs === true ? sha256(bytes) : gitSha1(bytes));

/** Bytes that look random and are the same every time. */
export function testBytes(length: number, seed = 1): Buffer {
  const bytes = Buffer.alloc(length);
  for (let i = 0, x = seed; i < length; i++) bytes[i] = (x = (x * 1103515245 + 12345) & 0x7fffffff) >> 16;
  return bytes;
}

export async function startHub(repos: readonly HubRepo[] = []): Promise<HubServer> {
  const attempts = new Map<string, number>();
  let running = 0;
  let peak = 0;
  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const hub: HubServer = {
    url: `http://127.0.0.1:${port}`,
    otherUrl: `http://localhost:${port}`,
    seen: [],
    plain: new Map(),
    repos: [...repos],
    fault: () => undefined,
    apiFault: () => undefined,
    pageSize: 1000,
    peak: () => peak,
    [Symbol.asyncDispose]: () => close(server),
  };

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? "/", hub.url);
    const path = decodeURIComponent(pathname);
    const { authorization, range, "if-range": ifRange, host = "" } = request.headers;
    hub.seen.push({ host, path, authorization, range, ifRange: ifRange as string | undefined });
    const attempt = (attempts.get(path) ?? 0) + 1;
    attempts.set(path, attempt);
    const plain = hub.plain.get(path);
    if (plain !== undefined) return await timed(() => sendBytes(request, response, plain, path, attempt));
    const repo = hub.repos.find(({ type, name }) =>
      path.includes(`${type === "dataset" ? "datasets/" : ""}${name}/`),
    );
    if (repo === undefined) return refuse(response, 404, "RepoNotFound", "Repository not found");
    const isAllowed = repo.token === undefined || authorization === `Bearer ${repo.token}`;
    if (path.startsWith("/api/")) return sendApi(response, repo, path, searchParams, isAllowed, attempt);
    const [, revision, file = ""] = /\/resolve\/([^/]+)\/(.*)$/.exec(path) ?? [];
    const found = Object.hasOwn(repo.files, file) ? repo.files[file] : undefined;
    if (!isAllowed)
      return repo.gated === true
        ? refuse(response, authorization === undefined ? 401 : 403, "GatedRepo", "Access is restricted")
        : refuse(response, 401, "RepoNotFound", "Invalid username or password.");
    if (![repo.commit, ...(repo.revisions ?? ["main"])].includes(revision ?? ""))
      return refuse(response, 404, "RevisionNotFound", "Invalid rev id");
    if (found === undefined) return refuse(response, 404, "EntryNotFound", "Entry not found");
    const headers = {
      "x-repo-commit": repo.commit,
      "x-linked-etag": `"${hashOf(found)}"`,
      "x-linked-size": String(found.bytes.length),
    };
    if (found.lfs !== true)
      return await timed(() => sendBytes(request, response, found.bytes, path, attempt, headers));
    hub.plain.set(`/cdn/${hashOf(found)}`, found.bytes);
    response.writeHead(302, { ...headers, location: `${hub.otherUrl}/cdn/${hashOf(found)}` }).end();
  }

  function sendApi(
    response: ServerResponse,
    repo: HubRepo,
    path: string,
    query: URLSearchParams,
    isAllowed: boolean,
    attempt: number,
  ): void {
    const fault = hub.apiFault(attempt);
    if (fault?.status !== undefined) return void response.writeHead(fault.status, fault.headers).end("{}");
    // What a gated repository holds is public.
    if (!isAllowed && repo.gated !== true)
      return refuse(response, 401, "RepoNotFound", "Invalid username or password.");
    const revision = /\/(?:revision|tree)\/(.+)$/.exec(path)?.[1] ?? "";
    if (![repo.commit, ...(repo.revisions ?? ["main"])].includes(revision))
      return refuse(response, 404, "RevisionNotFound", "Invalid rev id: " + revision);
    if (path.includes("/revision/"))
      return void response.end(
        JSON.stringify({
          _id: "1",
          id: repo.name,
          sha: repo.commit,
          private: false,
          lastModified: "2024-01-01T00:00:00Z",
        }),
      );
    const entries = Object.entries(repo.files).map(([name, file]) => ({
      ...{ type: "file", path: name, oid: gitSha1(file.bytes), size: file.bytes.length },
      ...(file.lfs === true
        ? { lfs: { oid: sha256(file.bytes), size: file.bytes.length, pointerSize: 130 } }
        : {}),
    }));
    const start = Number(query.get("cursor") ?? 0);
    const end = start + hub.pageSize;
    if (end < entries.length)
      response.setHeader("link", `<${hub.url}${path}?recursive=true&cursor=${end}>; rel="next"`);
    response.end(
      JSON.stringify([
        { type: "directory", path: "folder", oid: "0", size: 0 },
        ...entries.slice(start, end),
      ]),
    );
  }

  async function timed(work: () => Promise<void>): Promise<void> {
    peak = Math.max(peak, ++running);
    await work().finally(() => running--);
  }

  async function sendBytes(
    request: IncomingMessage,
    response: ServerResponse,
    content: Buffer,
    path: string,
    attempt: number,
    more: Readonly<Record<string, string>> = {},
  ): Promise<void> {
    const fault = hub.fault(path, attempt) ?? {};
    if (fault.status !== undefined) return void response.writeHead(fault.status, fault.headers).end();
    const bytes = fault.bytes ?? content;
    const etag = fault.etag ?? `"${sha256(bytes).slice(0, 16)}"`;
    const { range, "if-range": ifRange } = request.headers;
    const start = Number(/^bytes=(\d+)-$/.exec(range ?? "")?.[1] ?? 0);
    const isPart =
      range !== undefined && fault.ignoreRange !== true && (ifRange === undefined || ifRange === etag);
    if (isPart && start >= bytes.length) {
      response.writeHead(416, { "content-range": `bytes */${bytes.length}` }).end();
      return;
    }
    const body = isPart ? bytes.subarray(start) : bytes;
    response.writeHead(isPart ? 206 : 200, {
      ...{ etag, "content-length": body.length, "accept-ranges": "bytes", ...more, ...fault.headers },
      ...(isPart ? { "content-range": `bytes ${start}-${bytes.length - 1}/${bytes.length}` } : {}),
    });
    const end = Math.min(fault.cutAfter ?? body.length, fault.stallAfter ?? body.length, body.length);
    const [step, pause] = fault.throttle ?? [1 << 16, 0];
    for (let at = 0; at < end && !response.destroyed; at += step) {
      response.write(body.subarray(at, Math.min(at + step, end)));
      if (pause > 0 && at + step < end) await sleep(pause);
    }
    // A moment for the bytes to leave before the connection is cut.
    if (fault.cutAfter !== undefined && fault.cutAfter < body.length) {
      await sleep(10);
      response.destroy();
    } else if (fault.stallAfter === undefined || fault.stallAfter >= body.length) response.end();
    else await new Promise((resolve) => response.on("close", resolve));
  }
  return hub;
}

function refuse(response: ServerResponse, status: number, code: string, message: string): void {
  response.writeHead(status, { "x-error-code": code, "x-error-message": message }).end();
}

async function close(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}
