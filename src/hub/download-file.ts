// A single file from an address to a path: resumed, checked, and in its place only when it is whole.
import { existsSync, statSync } from "node:fs";
import { rename } from "node:fs/promises";
import { basename } from "node:path";
import { bytesText } from "../torch/disk.ts";
import { checkRoom } from "./disk-room.ts";
import { DownloadError } from "./errors.ts";
import { fetchFile, type FetchOptions } from "./fetch-file.ts";
import { withLock } from "./lock.ts";
import { type Checksum, hashOf } from "./part-file.ts";

export interface DownloadFileRequest extends FetchOptions {
  readonly url: string;
  /** Path of the file. What has arrived before it is whole is in `<to>.incomplete`. */
  readonly to: string;
  /** Sent to the address's own server only. */
  readonly token?: string | undefined;
  /** SHA-256 in hexadecimal. */
  readonly sha256?: string | undefined;
  /** First digits of the SHA-256, as torchvision puts them into names. */
  readonly sha256Prefix?: string | undefined;
  /** Bytes. */
  readonly size?: number | undefined;
  /** Fetches the file although one is there. */
  readonly force?: boolean | undefined;
  readonly onProgress?: ((progress: { done: number; total: number | undefined }) => void) | undefined;
}

export interface DownloadedFile {
  readonly path: string;
  readonly size: number;
  readonly sha256: string;
  /** The file was there and right already. */
  readonly kept: boolean;
}

/** Throws DownloadError saying what to do; the signal's reason when it is aborted, with what has arrived kept. */
export async function downloadFile(file: DownloadFileRequest): Promise<DownloadedFile> {
  const { url, to, token, size, signal, onNote, onProgress } = file;
  const hex = file.sha256 ?? file.sha256Prefix;
  const checksum: Checksum | undefined =
    hex === undefined ? undefined : { algorithm: "sha256", hex: hex.toLowerCase() };
  const kept = await existing(file, checksum);
  if (kept !== undefined) return kept;
  const part = `${to}.incomplete`;
  const what = basename(to);
  const lock = { signal, onWait: () => onNote?.(`another process is fetching ${what}; waiting for it`) };
  return await withLock(`${part}.lock`, lock, async () => {
    const meanwhile = await existing(file, checksum);
    if (meanwhile !== undefined) return meanwhile;
    let isRoomChecked = false;
    const sha256 = await fetchFile(
      part,
      {
        ...{ url, size, checksum },
        credential: token === undefined ? undefined : { token, origin: originOf(url) },
        asked: { what, hasToken: token !== undefined },
      },
      {
        ...file,
        onSize: (done, total) => {
          if (!isRoomChecked && total !== undefined) checkRoom(to, total - done, what);
          isRoomChecked ||= total !== undefined;
          onProgress?.({ done, total });
        },
      },
    );
    await rename(part, to);
    return { path: to, size: statSync(to).size, sha256, kept: false };
  });
}

const originOf = (url: string): string => (URL.canParse(url) ? new URL(url).origin : "");

/** What is at the path already, if it is what was asked for. Throws DownloadError when another file is there. */
async function existing(
  { to, size, force = false, signal }: DownloadFileRequest,
  checksum: Checksum | undefined,
): Promise<DownloadedFile | undefined> {
  if (force || !existsSync(to)) return undefined;
  const found = statSync(to);
  if (!found.isFile()) throw new DownloadError(`${to} is a folder; expected a place for a file.`);
  const sha256 = await hashOf(to, undefined, signal);
  const isRight = (size === undefined || size === found.size) && sha256.startsWith(checksum?.hex ?? "");
  if (isRight) return { path: to, size: found.size, sha256, kept: true };
  throw new DownloadError(
    `${to} (${bytesText(found.size)}, SHA-256 ${sha256.slice(0, 16)}...) is not the file that was asked for` +
      `${checksum === undefined ? "" : ` (SHA-256 ${checksum.hex}...)`}. Move it away, or replace it with --force.`,
  );
}
