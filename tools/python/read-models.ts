// The way back: what tools/python/check_saved.py saved with diffusers and transformers, against the originals.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { loadTextEncoder, loadUnet, loadVae, type LoadOptions } from "../../src/models/index.ts";
import type { Module } from "../../src/nn/index.ts";
import { loadPipeline } from "../../src/pipelines/index.ts";
import { type DType, scope, type Tensor } from "../../src/torch/index.ts";
import { ClipTokenizer } from "../../src/tokenizers/index.ts";
import { golden } from "../../test/golden-dir.ts";

export interface ReadCheck {
  readonly what: string;
  /** The largest difference; infinite when something is missing or cannot be read. */
  readonly error: number;
}

const LOADERS = { unet: loadUnet, vae: loadVae, text_encoder: loadTextEncoder } as const;
type Part = keyof typeof LOADERS;
const ALL: readonly Part[] = ["unet", "vae", "text_encoder"];

interface Form {
  readonly parts: readonly Part[];
  readonly options: LoadOptions;
  readonly dtype: DType;
}

const plain: Form = { parts: ALL, options: {}, dtype: "float32" };
const half: Form = { parts: ALL, options: { variant: "fp16" }, dtype: "float16" };
const FORMS: Readonly<Record<string, Form>> = {
  plain,
  sharded: plain,
  bin: plain,
  "bin-sharded": { ...plain, parts: ["unet", "vae"] },
  fp16: half,
  "fp16-sharded": half,
};

/** One check per component of each form, the EMA copy, and the whole pipeline with its one-file tokenizer. */
export function* readPythonModels(folder: string): IterableIterator<ReadCheck> {
  const saved = join(folder, "from-python");
  if (!existsSync(saved)) {
    yield { what: "from Python: nothing was saved", error: Infinity };
    return;
  }
  for (const [form, { parts, options, dtype }] of Object.entries(FORMS)) {
    for (const part of parts)
      yield compare(`from Python, ${form}: ${part}`, { part, dtype }, () =>
        LOADERS[part](join(saved, form, part), options),
      );
  }
  const ema = { part: "unet", dtype: "float32" } as const;
  yield compare("from Python, EMA: unet", ema, () => loadUnet(join(saved, "ema", "unet_ema")));
  const { parts } = loadPipeline(join(saved, "plain"));
  for (const model of [parts.unet, parts.vae, parts.textEncoder]) model[Symbol.dispose]();
  const texts = ["a photo of a nurse", "word ".repeat(90), ""];
  const ids = (tokenizer: ClipTokenizer) => tokenizer.encode(texts).inputIds.join();
  const same = ids(parts.tokenizer) === ids(ClipTokenizer.load(golden("tiny-sd1/tokenizer")));
  yield { what: "from Python, plain: tokenizer in one file", error: same ? 0 : Infinity };
}

function compare(
  what: string,
  { part, dtype }: { part: Part; dtype: DType },
  load: () => Module & Disposable,
): ReadCheck {
  try {
    using found = load();
    using original = LOADERS[part](golden(`tiny-sd1/${part}`));
    return { what, error: scope(() => largestDifference(found.stateDict(), original.stateDict(), dtype)) };
  } catch (error) {
    return { what: `${what}: ${error instanceof Error ? error.message : String(error)}`, error: Infinity };
  }
}

function largestDifference(
  found: ReadonlyMap<string, Tensor>,
  original: ReadonlyMap<string, Tensor>,
  dtype: DType,
): number {
  // transformers 5 and this project keep text encoders with and without their published prefix.
  const plainKey = (key: string) => key.replace(/^text_model\./, "");
  const byKey = new Map([...found].map(([key, value]) => [plainKey(key), value]));
  if (byKey.size !== original.size) return Infinity;
  const differences = [...original].map(([key, value]) => {
    const other = byKey.get(plainKey(key));
    if (other === undefined || other.dtype !== dtype) return Infinity;
    return other.to("float64").sub(value.to(dtype).to("float64")).abs().max().item();
  });
  return Math.max(...differences);
}
