// What can go wrong with a download, in words that say what to do. A token is never part of a message.
import { UserError } from "../torch/errors.ts";

/** A download failed for a reason that the user can do something about. */
export class DownloadError extends UserError {}

/** A failure that may pass by itself: a cut connection, a busy server. `waitMs`: how long the server asks to wait. */
export class TransientError extends DownloadError {
  readonly waitMs: number | undefined;
  constructor(message: string, options: { cause?: unknown; waitMs?: number } = {}) {
    super(message, options);
    this.waitMs = options.waitMs;
  }
}

/** The bytes that came are not those that were announced. */
export class WrongBytesError extends DownloadError {}

/** The server has been asked and says no: such a name, revision or file is not there, or not for this user. */
export class RefusedError extends DownloadError {}

/** What was asked for, to explain a refusal. */
export interface Asked {
  /** "the model CompVis/stable-diffusion-v1-4", "vgg16-397923af.pth". */
  readonly what: string;
  /** Page of the repository on its server, where there is one. */
  readonly page?: string;
  readonly revision?: string;
  readonly hasToken: boolean;
}

/** Answers that are worth another try after a while. */
const BUSY = new Set([408, 425, 429, 500, 502, 503, 504]);

/** The error for an HTTP status that is not the one hoped for. */
export function statusError(status: number, headers: Headers, url: string, asked: Asked): DownloadError {
  const { host } = new URL(url);
  if (BUSY.has(status)) {
    const reason = status === 429 ? "asks for fewer requests" : "has a problem";
    return new TransientError(`${host} ${reason} (status ${status})`, { waitMs: askedWait(headers) });
  }
  const said = `${host} answered ${status}${reasonOf(headers)} for ${asked.what}.`;
  return new RefusedError(`${said} ${advice(status, headers, url, asked)}`);
}

const reasonOf = (headers: Headers): string => {
  const message = headers.get("x-error-message") ?? headers.get("x-error-code");
  return message === null ? "" : ` (${message.slice(0, 200)})`;
};

function advice(
  status: number,
  headers: Headers,
  url: string,
  { what, page, revision, hasToken }: Asked,
): string {
  const code = headers.get("x-error-code");
  const origin = new URL(url).origin;
  const makeToken = page === undefined ? "" : ` (made at ${new URL(page).origin}/settings/tokens)`;
  if (code === "GatedRepo")
    return (
      `Its owner wants a licence accepted first: open ${page ?? origin}, sign in and accept it, then ` +
      (hasToken
        ? "run this again; the token given must belong to the account that accepted, and may need the right to read gated repositories."
        : `set HF_TOKEN to a token of that account${makeToken} and run this again.`)
    );
  if (code === "RevisionNotFound")
    return `There is no revision "${revision ?? ""}"; give a branch, tag or commit that ${page ?? "the repository"} shows.`;
  if (code === "EntryNotFound")
    return `There is no such file at ${url}; look at ${page ?? origin} for the names.`;
  if (page !== undefined && (status === 404 || code === "RepoNotFound" || (status === 401 && !hasToken))) {
    const isPrivate = hasToken
      ? "If it is private, the token given may not read it"
      : `If it is private, set HF_TOKEN to a token that may read it${makeToken}`;
    return `Check the spelling of OWNER/NAME (capital letters count), and whether it is a model or a data set: ${page}. ${isPrivate}.`;
  }
  if (status === 401 || status === 403)
    return hasToken
      ? `The token given is not valid here or may not read this: check HF_TOKEN${makeToken}.`
      : `It wants to know who asks: set HF_TOKEN to a token that may read it${makeToken}.`;
  if (status === 404 || status === 410)
    return `Nothing is at ${url} any more; give another address with --url, or a mirror with INVDIFF_MIRROR.`;
  return `${what} cannot be had from ${url}.`;
}

/** Milliseconds that the server asks to wait (Retry-After in seconds or as a date, or `ratelimit: ...;t=55`). */
function askedWait(headers: Headers): number | undefined {
  const after = headers.get("retry-after")?.trim() ?? "";
  if (/^\d+$/.test(after)) return Number(after) * 1000;
  const date = Date.parse(after);
  if (!Number.isNaN(date)) return Math.max(0, date - Date.now());
  const reset = /;\s*t=(\d+)/.exec(headers.get("ratelimit") ?? "")?.[1];
  return reset === undefined ? undefined : Number(reset) * 1000;
}
