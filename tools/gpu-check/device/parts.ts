// What only a device can show: memory, streams, events, graphs, kernels, and that a training goes on from a checkpoint.
import type { Part } from "../parity.ts";
import { checkAttention } from "./attention.ts";
import { checkGraphs } from "./graphs.ts";
import { checkGroupNorm } from "./group-norm.ts";
import { checkMemory, checkOutOfMemory } from "./memory.ts";
import { checkPinned } from "./pinned.ts";
import { checkResume } from "./resume.ts";
import { checkStreams } from "./streams.ts";

/** In the order in which they are run: running out of memory comes last. */
export const deviceParts = (): Part[] => [
  { name: "pinned memory", run: checkPinned },
  { name: "streams and events", run: checkStreams },
  { name: "group norm", run: checkGroupNorm },
  { name: "attention", run: checkAttention },
  { name: "graphs", run: checkGraphs },
  { name: "training goes on", run: checkResume },
  { name: "memory", run: checkMemory },
  { name: "out of memory", run: checkOutOfMemory },
];
