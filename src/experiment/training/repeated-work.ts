// Work that is done again and again on a device in the same way: recorded as a graph where that is possible.
import {
  type Device,
  DeviceGraph,
  OutOfMemoryError,
  recordStream,
  Stream,
  supportsGraphs,
  type Tensor,
  TorchError,
} from "../../torch/index.ts";

/** Runs before the recording, for real: kernels are chosen, work space and the optimizer's moments are made. */
const WARMUPS = 3;

export interface GraphOptions {
  /** "off": the work is called every time. "on": a work that cannot be recorded is an error; "auto": it is called then. */
  readonly graphs: "auto" | "on" | "off";
  readonly note: (text: string) => void;
}

/** Repeats a work and gives its result, which belongs to the repetition and stays until the next one. */
export interface RepeatedWork extends Disposable {
  run(): Tensor;
  /** Whether `run` replays a graph. */
  readonly recorded: boolean;
}

/** `work` reads and writes tensors that stay where they are, and waits for nothing. It is done once for each `run`. */
export function repeatedWork(device: Device, work: () => Tensor, options: GraphOptions): RepeatedWork {
  let graph = options.graphs !== "off" && supportsGraphs(device) ? new DeviceGraph(device) : undefined;
  let runs = 0;
  let result: Tensor | undefined;
  const forget = () => {
    result?.dispose();
    result = undefined;
  };
  const record = (into: DeviceGraph) => {
    try {
      result = into.capture(work);
    } catch (error) {
      into.dispose();
      graph = undefined;
      if (options.graphs === "on" || !(error instanceof TorchError)) throw error;
      const why = error instanceof OutOfMemoryError ? "not enough memory for a graph's own" : error.message;
      options.note(`The training's step was not recorded as a graph (${why}); it goes on without.`);
    }
  };
  return {
    run() {
      if (!graph?.captured) forget();
      if (graph && runs === WARMUPS) record(graph);
      runs++;
      if (graph?.captured) graph.replay();
      else if (graph) {
        result = graph.warmup(work);
        // Made in the graph's stream, read in this one.
        recordStream(result, Stream.current(device));
      } else result = work();
      return result!;
    },
    get recorded() {
      return graph?.captured === true;
    },
    [Symbol.dispose]() {
      forget();
      graph?.dispose();
    },
  };
}
