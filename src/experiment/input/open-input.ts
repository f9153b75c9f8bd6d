// Chooses how a training is fed.
import { isHost } from "../../torch/index.ts";
import { AHEAD } from "./ahead.ts";
import { deviceIdleMeter } from "./device-idle-meter.ts";
import { hostIdleMeter } from "./idle-meter.ts";
import { openSource, type SourceOptions } from "./part-source.ts";
import { plainInput } from "./plain-input.ts";
import { readAheadInput } from "./read-ahead-input.ts";
import type { InputOptions, TrainingInput } from "./training-input.ts";

/** The input of a training, to be disposed of when it is over: that ends its thread. */
export function openInput(options: InputOptions, sourceOptions?: SourceOptions): TrainingInput {
  const { device } = options.set;
  const ahead = options.ahead ?? (isHost(device) ? 0 : AHEAD);
  const meter = isHost(device) ? hostIdleMeter() : deviceIdleMeter(device);
  if (ahead === 0) return plainInput(options, { meter });
  return readAheadInput(options, { source: openSource(options.set, sourceOptions), meter, ahead });
}
