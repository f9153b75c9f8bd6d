/**
 * One file from one address into an unfinished file: goes on where an earlier try ended, tries again after cut connections, and
 * checks the bytes. What each try may rely on:
 *
 *     a checksum      any rest of the file may be appended: a mixture does not pass the check
 *     a validator     (ETag, Last-Modified) is sent as If-Range: a file that has changed comes whole
 *     neither         an unfinished file of an earlier process is dropped
 */
import { readFile, rm } from "node:fs/promises";
import { writeFileAtomic } from "../torch/atomic-file.ts";
import { bytesText } from "../torch/disk.ts";
import { type Asked, statusError, TransientError, WrongBytesError } from "./errors.ts";
import { type Answer, type Credential, request } from "./http.ts";
import { type Checksum, openPart, type PartFile } from "./part-file.ts";
import { failureCounter, type RetryOptions } from "./retry.ts";

export interface FileSource {
  readonly url: string;
  readonly credential?: Credential | undefined;
  /** Bytes, when known. */
  readonly size?: number | undefined;
  readonly checksum?: Checksum | undefined;
  readonly asked: Asked;
}

export interface FetchOptions extends RetryOptions {
  readonly stallMs?: number | undefined;
  /** Told the bytes that the unfinished file holds, and the size once it is known. */
  readonly onSize?: ((held: number, size: number | undefined) => void) | undefined;
}

/** What is remembered beside an unfinished file, to see whether the file on the server is still the same. */
interface Memory {
  readonly url: string;
  readonly validator: string;
}

const memoryPath = (part: string): string => `${part}.json`;

/**
 * Fetches `source` into `part`, which is complete and checked afterwards. Returns its hash (hexadecimal) by the checksum's algorithm, SHA-256 without one.
 * Throws DownloadError and its kin, the system's errors (a full disk), or the signal's reason; `part` then stays for the next time,
 * except with bytes that were wrong twice.
 */
export async function fetchFile(
  part: string,
  source: FileSource,
  options: FetchOptions = {},
): Promise<string> {
  const { checksum, url } = source;
  for (let tries = 1; ; tries++) {
    try {
      await using file = await openPart(part, checksum, options.signal);
      await fill(file, part, source, options);
      const hash = await file.finish();
      if (checksum !== undefined && !hash.startsWith(checksum.hex))
        throw new WrongBytesError(`its ${checksum.algorithm} is ${hash}, expected ${checksum.hex}`);
      await rm(memoryPath(part), { force: true });
      return hash;
    } catch (error) {
      if (!(error instanceof WrongBytesError)) throw error;
      await forget(part);
      if (tries < 2) {
        options.onNote?.(
          `${source.asked.what} came with wrong bytes (${error.message}); fetching it once more`,
        );
        continue;
      }
      throw new WrongBytesError(
        `${source.asked.what} came with wrong bytes twice from ${url}: ${error.message}. The bytes were deleted. ` +
          `The server or something on the way changes them; try later, or another server (HF_ENDPOINT, INVDIFF_MIRROR, --url).`,
        { cause: error },
      );
    }
  }
}

/** Removes an unfinished file and what is remembered with it. */
export async function forget(part: string): Promise<void> {
  await rm(part, { force: true });
  await rm(memoryPath(part), { force: true });
}

/** Requests until everything is there. */
async function fill(file: PartFile, part: string, source: FileSource, options: FetchOptions): Promise<void> {
  const failures = failureCounter(options);
  let memory = await recall(part, source.url);
  // A server that ignores Range starts at 0 again and again: only what goes beyond the best try so far counts as progress.
  let best = file.size;
  for (;;) {
    if (memory === undefined && source.checksum === undefined) await file.restart();
    if (file.size > 0 && file.size === source.size) return;
    try {
      const answer = await ask(file, source, memory, options);
      memory = await remember(part, source, answer);
      if (await receive(file, source, answer, memory, options)) return;
    } catch (error) {
      if (!(error instanceof TransientError)) throw error;
      if (file.size > best) failures.progressed();
      best = Math.max(best, file.size);
      await failures.failed(error);
    }
  }
}

function ask(
  file: PartFile,
  { url, credential }: FileSource,
  memory: Memory | undefined,
  { signal, stallMs }: FetchOptions,
): Promise<Answer> {
  const range: Record<string, string> = file.size > 0 ? { range: `bytes=${file.size}-` } : {};
  const condition: Record<string, string> =
    file.size > 0 && memory !== undefined ? { "if-range": memory.validator } : {};
  // Compressed bodies have other lengths and ranges than the file.
  const headers = { "accept-encoding": "identity", ...range, ...condition };
  return request(url, { headers, credential, signal, stallMs });
}

/** Takes one answer. True when the file is complete, false when another request is needed at once. */
async function receive(
  file: PartFile,
  source: FileSource,
  answer: Answer,
  memory: Memory | undefined,
  { onSize }: FetchOptions,
): Promise<boolean> {
  const { status, headers, url } = answer;
  const range = contentRange(headers);
  if (status === 416 && file.size > 0) {
    answer.close();
    if (range?.total === file.size && (memory !== undefined || source.checksum !== undefined)) return true;
    await file.restart();
    return false;
  }
  if (status !== 200 && status !== 206) {
    answer.close();
    throw statusError(status, headers, url, source.asked);
  }
  const fits =
    range?.start === file.size && validatorOf(headers) === (memory?.validator ?? validatorOf(headers));
  if (status === 206 && !fits) {
    answer.close();
    if (file.size === 0)
      throw new WrongBytesError(`a part (${headers.get("content-range") ?? "?"}) came for the whole`);
    await file.restart();
    return false;
  }
  if (status === 200 && file.size > 0) await file.restart();
  const total = status === 206 ? range?.total : contentLength(headers);
  if (source.size !== undefined && total !== undefined && total !== source.size) {
    answer.close();
    throw new WrongBytesError(`${total} bytes were offered, expected ${source.size}`);
  }
  const size = source.size ?? total;
  onSize?.(file.size, size);
  for await (const chunk of answer.chunks()) {
    if (size !== undefined && file.size + chunk.length > size)
      throw new WrongBytesError(`more than the expected ${size} bytes came`);
    await file.append(chunk);
    onSize?.(file.size, size);
  }
  if (size !== undefined && file.size < size)
    throw new TransientError(
      `${new URL(url).host}: the connection ended after ${bytesText(file.size)} of ${bytesText(size)}`,
    );
  return true;
}

/** `bytes 100-199/200`, or `bytes * /200` of a range that cannot be met. */
function contentRange(headers: Headers): { start?: number; total?: number } | undefined {
  const found = /^bytes (?:(\d+)-\d+|\*)\/(\d+|\*)$/.exec(headers.get("content-range") ?? "");
  if (found === null) return undefined;
  const [, start, total] = found;
  return {
    ...(start === undefined ? {} : { start: Number(start) }),
    ...(total === undefined || total === "*" ? {} : { total: Number(total) }),
  };
}

function contentLength(headers: Headers): number | undefined {
  const encoding = headers.get("content-encoding") ?? "identity";
  const length = headers.get("content-length");
  return encoding === "identity" && length !== null && /^\d+$/.test(length) ? Number(length) : undefined;
}

/** What tells one state of a file from another; weak ETags may not be used for ranges. */
function validatorOf(headers: Headers): string | undefined {
  const etag = headers.get("etag");
  if (etag !== null && !etag.startsWith("W/")) return etag;
  return headers.get("last-modified") ?? undefined;
}

async function recall(part: string, url: string): Promise<Memory | undefined> {
  try {
    const memory = JSON.parse(await readFile(memoryPath(part), "utf8")) as Partial<Memory>;
    return memory.url === url && typeof memory.validator === "string" ? (memory as Memory) : undefined;
  } catch {
    return undefined; // Nothing remembered, or not readable: as good as nothing.
  }
}

/** With a whole checksum nothing needs to be remembered: the address may change, and its validator with it. */
async function remember(
  part: string,
  { url, checksum }: FileSource,
  { status, headers }: Answer,
): Promise<Memory | undefined> {
  if (checksum !== undefined && checksum.hex.length >= 40) return undefined;
  if (status === 416) return await recall(part, url);
  const validator = validatorOf(headers);
  if ((status !== 200 && status !== 206) || validator === undefined) return await recall(part, url);
  const before = await recall(part, url);
  if (before?.validator === validator) return before;
  if (status === 200) writeFileAtomic(memoryPath(part), JSON.stringify({ url, validator } satisfies Memory));
  return status === 200 ? { url, validator } : before;
}
