// A denoiser that starts its thousand kernels as one. The program needs longer to hand them over one by one than a card
// takes for a small batch, so the work is recorded (a CUDA graph) and from then on replayed with other inputs.
import {
  autocastOptions,
  deterministic,
  type Device,
  DeviceGraph,
  float32Precision,
  gradEnabled,
  inferenceMode,
  isChannelsLast,
  keep,
  recordStream,
  sameDevice,
  scope,
  Stream,
  supportsGraphs,
  Tensor,
} from "../torch/index.ts";
import type { Denoiser, DenoiserOptions } from "./parts.ts";

/** A whole batch and a last smaller one, each with and without what begins at a timestep. Every graph holds memory. */
const MOST = 4;

export interface GraphOptions {
  /** Told when the work cannot be recorded, once: nothing is recorded from then on. Without it the error is thrown. */
  readonly onFailure?: ((error: unknown) => void) | undefined;
}

export interface GraphedDenoiser extends Denoiser, Disposable {
  /** How many recordings are held: one for each kind of input in use. */
  readonly graphs: number;
}

type Inputs = readonly [sample: Tensor, timesteps: Tensor, encoderHiddenStates: Tensor];

/** What is replayed: a copy of the inputs goes in, the output comes out in the same place each time. */
interface Recording {
  readonly inputs: Inputs;
  readonly output: Tensor;
}

/** The work for inputs of one kind, first warmed up and then recorded. */
interface Entry {
  readonly signature: string;
  readonly key: readonly unknown[];
  readonly graph: DeviceGraph;
  recording?: Recording;
}

/**
 * `denoiser`, to the same bits, by replayed graphs where nothing is recorded for gradients and `device` has graphs;
 * elsewhere, under autocast and where the denoiser has no `graphKey` it is simply called. Each kind of input (shapes,
 * dtypes) costs one ordinary call first. Outputs are the caller's. Disposing releases the graphs, not the denoiser.
 */
export function graphedDenoiser(
  denoiser: Denoiser,
  device: Device,
  { onFailure }: GraphOptions = {},
): GraphedDenoiser {
  let entries: Entry[] = [];
  let isOn = supportsGraphs(device);

  const remove = (entry: Entry) => {
    release(entry);
    entries = entries.filter((other) => other !== entry);
  };

  /** The entry for this work, used last from now on; what can never be replayed again goes. */
  const entryFor = (signature: string, key: readonly unknown[]): Entry | undefined => {
    for (const entry of entries.filter(isStale)) remove(entry);
    const found = entries.find((entry) => entry.signature === signature && isSame(entry.key, key));
    if (found !== undefined) entries = [...entries.filter((entry) => entry !== found), found];
    return found;
  };

  const add = (entry: Entry) => {
    if (entries.length === MOST) remove(entries[0]!);
    entries.push(entry);
  };

  const forward = (...[sample, timesteps, states, options]: Parameters<Denoiser["forward"]>): Tensor => {
    const plain = () => denoiser.forward(sample, timesteps, states, options);
    const inputs: Inputs = [sample, timesteps, states];
    const applies =
      isOn &&
      inputs.every((input) => sameDevice(input.device, device)) &&
      !gradEnabled() &&
      // A weight cast before the recording is gone with the autocast that cast it.
      !autocastOptions(device).enabled;
    const key = applies ? denoiser.graphKey?.(options?.timestep) : undefined;
    if (key === undefined) return plain();

    const signature = signatureOf(inputs);
    const entry = entryFor(signature, key);
    try {
      if (entry === undefined) {
        const graph = new DeviceGraph(device);
        add({ signature, key, graph });
        const result = graph.warmup(plain);
        // Made on the graph's stream, used on the caller's.
        recordStream(result, Stream.current(device));
        return result;
      }
      entry.recording ??= record(denoiser, entry.graph, inputs, options);
      return replay(entry.graph, entry.recording, inputs);
    } catch (error) {
      if (entry !== undefined) remove(entry);
      if (onFailure === undefined || entry === undefined) throw error;
      isOn = false;
      for (const other of entries) remove(other);
      onFailure(error);
      return plain();
    }
  };

  return {
    forward,
    get graphs() {
      return entries.filter(({ recording }) => recording !== undefined).length;
    },
    [Symbol.dispose]: () => {
      for (const entry of entries) remove(entry);
    },
  };
}

const signatureOf = (inputs: Inputs): string => {
  const kinds = inputs.map((input) => `${input.dtype}[${input.shape.join()}]${isChannelsLast(input)}`);
  return [...kinds, float32Precision(), deterministic()].join(" ");
};

const isSame = (one: readonly unknown[], other: readonly unknown[]): boolean =>
  one.length === other.length && one.every((entry, i) => Object.is(entry, other[i]));

/** True when a tensor is gone that the graph would read: a model was moved or released. */
const isStale = ({ key }: Entry): boolean => key.some((entry) => entry instanceof Tensor && entry.disposed);

function record(
  denoiser: Denoiser,
  graph: DeviceGraph,
  inputs: Inputs,
  options: DenoiserOptions | undefined,
): Recording {
  return inferenceMode(() =>
    scope(() => {
      const own = inputs.map((input) => input.clone());
      const [sample, timesteps, states] = own as [Tensor, Tensor, Tensor];
      const output = graph.capture(() => scope(() => denoiser.forward(sample, timesteps, states, options)));
      for (const tensor of [...own, output]) keep(tensor);
      return { inputs: [sample, timesteps, states], output };
    }),
  );
}

function replay(graph: DeviceGraph, { inputs, output }: Recording, given: Inputs): Tensor {
  inferenceMode(() => inputs.forEach((input, i) => input.copy_(given[i]!)));
  graph.replay();
  // A copy of its own, outside of inference mode if the caller is: the next replay writes over this one.
  return output.clone();
}

function release({ graph, recording }: Entry): void {
  graph.dispose();
  if (recording !== undefined) for (const tensor of [...recording.inputs, recording.output]) tensor.dispose();
}
