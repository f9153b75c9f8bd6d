// Where the parts of an input come from: rows of a cache through a thread, decoded pictures, or any set by its `load`.
import type { EncodedBatch, PictureReading, RowReading, TrainingSet } from "../../data/index.ts";
import { isHost, keep, scope, type Tensor } from "../../torch/index.ts";
import type { PartPlan } from "./part-plans.ts";
import { type RowReader, startRowReader } from "./row-reader.ts";
import type { Staged } from "./slot.ts";

/** A part that was read. */
export interface ReadPart extends Disposable {
  /** What is to go to the device, by name; tensors are to be disposed of once they are copied. */
  readonly staged: Readonly<Record<string, Staged>>;
  /** The encoded batch out of what was staged, queued in the current stream; the caller's. */
  readonly encode: (there: ReadonlyMap<string, Tensor>) => EncodedBatch;
}

export interface PartSource extends AsyncDisposable {
  /** Reads for a slot, whose part before has been copied. Errors: those of the set, at the part that cannot be read. */
  read(plan: Pick<PartPlan, "request">, slot: number, signal: AbortSignal): Promise<ReadPart>;
}

export interface SourceOptions {
  /** Text states of all captions stay on the device if they take at most this much. */
  readonly residentBytes?: number | undefined;
  /** Starts the reader of a cache; for tests. */
  readonly startReader?: typeof startRowReader | undefined;
}

const RESIDENT_BYTES = 256 * 2 ** 20;

/** Bytes of the text states of all captions if they stay on the device, else undefined. */
export function residentStateBytes(
  { captions, device, reading }: Pick<TrainingSet, "captions" | "device" | "reading">,
  budget = RESIDENT_BYTES,
): number | undefined {
  if (!reading || isHost(device)) return undefined;
  const bytes = reading.stateShape.reduce((product, size) => product * size, 4 * captions.length);
  return bytes <= budget ? bytes : undefined;
}

/** The fastest source that a set has. */
export function openSource(
  set: TrainingSet,
  { residentBytes, startReader = startRowReader }: SourceOptions = {},
): PartSource {
  const { reading } = set;
  if (!reading) return loadedSource(set);
  const isResident = residentStateBytes(set, residentBytes) !== undefined;
  const table = isResident ? residentStates(reading, set.captions) : undefined;
  return reading.kind === "rows" ? rowSource(reading, table, startReader) : pictureSource(reading, table);
}

interface ResidentStates extends Disposable {
  /** Names the captions of a request for the device. */
  staged(captions: Int32Array): { readonly captions: Staged };
  of(there: ReadonlyMap<string, Tensor>): Tensor;
}

/** The states of all captions on the device, made at the first use. */
function residentStates(
  { states }: RowReading | PictureReading,
  captions: readonly string[],
): ResidentStates {
  let all: Tensor | undefined;
  return {
    staged(asked) {
      all ??= keep(states(Int32Array.from(captions, (_, i) => i)));
      const indices = BigInt64Array.from(asked, BigInt);
      return { captions: { bytes: new Uint8Array(indices.buffer), shape: [asked.length], dtype: "int64" } };
    },
    of: (there) => all!.indexSelect(0, there.get("captions")!),
    [Symbol.dispose]: () => all?.dispose(),
  };
}

function rowSource(
  { tables, places }: RowReading,
  resident: ResidentStates | undefined,
  startReader: typeof startRowReader,
): PartSource {
  const both = resident ? [tables.moments] : [tables.moments, tables.states];
  const reader: RowReader = startReader(both);
  return {
    async read({ request }, slot) {
      const at = places(request);
      const asked = resident ? [at.moments] : [at.moments, at.states];
      const read = await reader.read(slot, asked);
      const [moments, states] = read.map((bytes, i): Staged => ({
        ...{ bytes, dtype: "float32" },
        shape: [asked[i]!.length, ...both[i]!.rowShape],
      }));
      return {
        staged: { moments: moments!, ...(resident?.staged(request.captions) ?? { states: states! }) },
        encode: (there) => ({
          moments: there.get("moments")!.alias(),
          encoderHiddenStates: resident?.of(there) ?? there.get("states")!.alias(),
        }),
        [Symbol.dispose]: () => undefined,
      };
    },
    async [Symbol.asyncDispose]() {
      resident?.[Symbol.dispose]();
      await reader[Symbol.asyncDispose]();
    },
  };
}

function pictureSource(
  { decode, encode, states }: PictureReading,
  resident: ResidentStates | undefined,
): PartSource {
  return {
    async read({ request }, _slot, signal) {
      const pictures = await decode(request, signal);
      return {
        staged: { pictures, ...resident?.staged(request.captions) },
        encode: (there) => ({
          moments: encode(there.get("pictures")!),
          encoderHiddenStates: resident?.of(there) ?? states(request.captions),
        }),
        [Symbol.dispose]: () => undefined,
      };
    },
    async [Symbol.asyncDispose]() {
      resident?.[Symbol.dispose]();
    },
  };
}

/** A set that only loads whole batches: they are loaded ahead. */
function loadedSource(set: TrainingSet): PartSource {
  return {
    async read({ request }) {
      const { moments, encoderHiddenStates } = await set.load(request);
      return {
        staged: {},
        encode: () =>
          scope(() => ({ moments: moments.alias(), encoderHiddenStates: encoderHiddenStates.alias() })),
        [Symbol.dispose]() {
          moments.dispose();
          encoderHiddenStates.dispose();
        },
      };
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}
