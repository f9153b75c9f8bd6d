/**
 * GET requests: redirects are followed by hand so that a token is sent to its own server only, and a connection on which
 * nothing arrives for a while is given up. Servers that are slow but alive are waited for.
 */
import { DownloadError, TransientError } from "./errors.ts";

/** A token, and the one origin (scheme, host and port) that may see it. */
export interface Credential {
  readonly token: string;
  readonly origin: string;
}

export interface RequestOptions {
  readonly headers?: Readonly<Record<string, string>>;
  readonly credential?: Credential | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds without a byte after which the connection is given up. Default: 30 s. */
  readonly stallMs?: number | undefined;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** Address that answered, after redirects. */
  readonly url: string;
  /** The body, once. Throws TransientError when the connection ends or stalls. */
  readonly chunks: () => AsyncGenerator<Uint8Array, void>;
  /** Lets go of a body that is not wanted. */
  readonly close: () => void;
}

const STALL_MS = 30_000;
const MAX_REDIRECTS = 10;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);

/** Sends a GET. Throws TransientError for a connection that fails, DownloadError for what will not pass by itself. */
export async function request(url: string, options: RequestOptions = {}): Promise<Answer> {
  let place = parseUrl(url);
  for (let hops = 0; hops <= MAX_REDIRECTS; hops++) {
    const { answer, location } = await requestOnce(place, options);
    if (location === null) return answer;
    answer.close();
    const next = parseUrl(location, place);
    if (place.protocol === "https:" && next.protocol === "http:")
      throw new DownloadError(
        `${place.host} sends from https to ${next.origin}, where anyone on the way could change the bytes; refused.`,
      );
    place = next;
  }
  throw new DownloadError(`${url} was redirected more than ${MAX_REDIRECTS} times.`);
}

function parseUrl(text: string, base?: URL): URL {
  if (!URL.canParse(text, base?.href))
    throw new DownloadError(`${JSON.stringify(text)} is no address; expected http(s)://...`);
  const url = new URL(text, base);
  if (url.protocol === "https:" || url.protocol === "http:") return url;
  throw new DownloadError(`${url.href} is no http(s) address.`);
}

async function requestOnce(
  place: URL,
  { headers = {}, credential, signal, stallMs = STALL_MS }: RequestOptions,
): Promise<{ answer: Answer; location: string | null }> {
  const watch = watchConnection(place, stallMs, signal);
  const authorization: Record<string, string> =
    credential !== undefined && credential.origin === place.origin
      ? { authorization: `Bearer ${credential.token}` }
      : {};
  try {
    const response = await watch.during(
      fetch(place, {
        headers: { "user-agent": "invdiff", ...headers, ...authorization },
        redirect: "manual",
        signal: watch.signal,
      }),
    );
    watch.pause();
    const { status } = response;
    const answer: Answer = {
      status,
      headers: response.headers,
      url: place.href,
      chunks: () => chunksOf(response, watch),
      close: () => {
        watch.end();
        letGo(response.body);
      },
    };
    return { answer, location: REDIRECTS.has(status) ? response.headers.get("location") : null };
  } catch (error) {
    watch.end();
    throw watch.failure(error);
  }
}

async function* chunksOf(response: Response, watch: Watch): AsyncGenerator<Uint8Array, void> {
  const reader = response.body?.getReader() as ReadableStreamDefaultReader<Uint8Array> | undefined;
  try {
    for (;;) {
      watch.expect();
      const chunk = reader === undefined ? undefined : await watch.during(reader.read());
      // Time that the receiver takes is not the server's.
      watch.pause();
      if (chunk?.value === undefined) return;
      yield chunk.value;
    }
  } catch (error) {
    throw watch.failure(error);
  } finally {
    watch.end();
    letGo(reader);
  }
}

/** Does not wait: the connection may have failed meanwhile, which does not matter any more. */
const letGo = (body: { cancel: () => Promise<void> } | null | undefined): void =>
  void body?.cancel().catch(() => undefined);

interface Watch {
  readonly signal: AbortSignal;
  /** From now on something has to arrive. */
  readonly expect: () => void;
  readonly pause: () => void;
  readonly end: () => void;
  /** Waits for something, but not beyond the end of the signal: fetch sometimes leaves the reader of an aborted body waiting for ever. */
  readonly during: <T>(work: Promise<T>) => Promise<T>;
  /** What to throw in place of the error of a request. */
  readonly failure: (error: unknown) => unknown;
}

function watchConnection({ host }: URL, stallMs: number, outer: AbortSignal | undefined): Watch {
  const controller = new AbortController();
  const stop = () => controller.abort(outer?.reason);
  if (outer?.aborted === true) stop();
  outer?.addEventListener("abort", stop, { once: true });
  let timer: NodeJS.Timeout | undefined;
  const pause = () => clearTimeout(timer);
  const expect = () => {
    pause();
    const seconds = Math.round(stallMs / 1000);
    timer = setTimeout(
      () => controller.abort(new TransientError(`nothing arrived from ${host} for ${seconds} s`)),
      stallMs,
    );
  };
  expect();
  const { signal } = controller;
  let giveUp: (reason: unknown) => void = () => undefined;
  signal.addEventListener("abort", () => giveUp(signal.reason), { once: true });
  return {
    signal,
    during: (work) =>
      new Promise((resolve, reject) => {
        giveUp = reject;
        work.then(resolve, reject);
        if (signal.aborted) giveUp(signal.reason);
      }),
    expect,
    pause,
    end() {
      pause();
      outer?.removeEventListener("abort", stop);
    },
    failure(error): unknown {
      if (outer?.aborted === true) return outer.reason;
      if (signal.aborted) return signal.reason;
      return networkFailure(error, host);
    },
  };
}

const REASONS: Readonly<Record<string, string>> = {
  ENOTFOUND: "there is no server of this name, or no network",
  EAI_AGAIN: "its name cannot be looked up; no network?",
  ECONNREFUSED: "the connection was refused",
  ECONNRESET: "the connection was cut",
  UND_ERR_SOCKET: "the connection was cut",
  ENETUNREACH: "no network",
  EHOSTUNREACH: "no way to the server",
  ETIMEDOUT: "no answer",
  UND_ERR_CONNECT_TIMEOUT: "no answer",
  UND_ERR_HEADERS_TIMEOUT: "no answer",
  UND_ERR_BODY_TIMEOUT: "no answer",
};

function networkFailure(error: unknown, host: string): Error {
  const codes: string[] = [];
  for (let cause = error, depth = 0; cause instanceof Error && depth < 5; cause = cause.cause, depth++) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code !== undefined) codes.push(code);
  }
  const text = error instanceof Error ? error.message : String(error);
  const code = codes.find((name) => name in REASONS) ?? codes[0];
  const isCertificate = codes.some((name) => /CERT|SIGNATURE|^ERR_(TLS|SSL)/.test(name));
  if (isCertificate)
    return new DownloadError(`${host} does not prove who it is (${code}); check the address and the clock.`, {
      cause: error,
    });
  const reason = REASONS[code ?? ""] ?? (code === undefined ? text : `${text}, ${code}`);
  return new TransientError(`${host}: ${reason}`, { cause: error });
}
