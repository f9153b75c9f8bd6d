/** Threads whose first file is part of this library, from its sources and from what the compiler made of them. */
import { Worker, type WorkerOptions } from "node:worker_threads";

/** Starts `name` (without an ending) beside the file whose `import.meta.url` is given. */
export function startWorkerFile(name: string, beside: string, options: WorkerOptions = {}): Worker {
  // Options of this process, such as --input-type, are not for its threads.
  const own = { ...options, execArgv: [] };
  if (!beside.endsWith(".ts")) return new Worker(new URL(`./${name}.js`, beside), own);
  // From the sources: Node 20 needs tsx to read them, and does not ask it for the first file of a thread.
  const [loader, entry] = [import.meta.resolve("tsx/esm/api"), new URL(`./${name}.ts`, beside).href];
  const script = `import(${JSON.stringify(loader)}).then(({ register }) => {
    register();
    return import(${JSON.stringify(entry)});
  });`;
  return new Worker(script, { ...own, eval: true });
}
