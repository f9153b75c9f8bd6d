// The thread that reads the cache: requests are answered in the order in which they come.
import { parentPort, workerData } from "node:worker_threads";
import type { RowTable } from "../../data/set-reading.ts";
import { gatherRows, openFiles, rowBytes } from "./gather-rows.ts";
import type { RowAnswer, RowRequest } from "./row-reader.ts";

const port = parentPort!;
const tables = workerData as readonly RowTable[];
const files = openFiles();
let turn = Promise.resolve();

async function answer({ id, places, memory }: RowRequest): Promise<void> {
  let problem: RowAnswer["problem"];
  try {
    let begin = 0;
    for (const [i, own] of places.entries()) {
      const table = tables[i]!;
      const end = begin + own.length * rowBytes(table);
      await gatherRows(files, table, own, new Uint8Array(memory, begin, end - begin));
      begin = end;
    }
  } catch (error) {
    problem = { message: (error as Error).message, cause: (error as Error).cause };
  }
  port.postMessage({ id, problem } satisfies RowAnswer);
}

port.on("message", (request: RowRequest) => void (turn = turn.then(() => answer(request))));
