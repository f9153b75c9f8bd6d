/** The worker's thread: pictures are prepared in the order in which they come, one resized while the next is decoded. */
import { parentPort } from "node:worker_threads";
import { DataError } from "../../torch/errors.ts";
import { END, type Request, type Response } from "./messages.ts";
import { preparePicture } from "./picture-job.ts";

const DECODED_AT_ONCE = 2;

const port = parentPort!;
const waiting: Request[] = [];
let busy = 0;

async function answer({ id, job, memory }: Request): Promise<void> {
  let response: Response = { id, memory };
  try {
    const write = await preparePicture(job);
    write(new Uint8Array(memory));
  } catch (error) {
    response = { id, memory, problem: { error: error as Error, isData: error instanceof DataError } };
  }
  port.postMessage(response, [memory]);
}

async function work(): Promise<void> {
  if (busy >= DECODED_AT_ONCE) return;
  busy++;
  for (let next = waiting.shift(); next; next = waiting.shift()) await answer(next);
  busy--;
}

port.on("message", (message: Request | typeof END) => {
  if (message !== END) {
    waiting.push(message);
    void work();
    return;
  }
  waiting.length = 0;
  port.close();
});
