// State dicts as torch.save writes them (a zip of a pickle and storages), for files that only Python would write.
import { writeFileSync } from "node:fs";
import type { Tensor } from "../src/torch/index.ts";
import { dict, int, pickle, storage, tensor, text, tuple, zip, type ZipEntry } from "./pickle-bytes.ts";

const STORAGES: Readonly<Record<string, string>> = {
  float32: "torch.FloatStorage",
  float16: "torch.HalfStorage",
  int64: "torch.LongStorage",
};

/** Writes tensors by key, each with a storage of its own. */
export function writeTorchStateDict(path: string, state: ReadonlyMap<string, Tensor>): void {
  const storages: ZipEntry[] = [];
  const items = Array.from(state, ([key, value], i) => {
    const { shape, dtype, numel } = value;
    storages.push({ name: `model/data/${i}`, data: value.withBytes((bytes) => bytes.slice()) });
    const of = storage({ type: STORAGES[dtype]!, key: String(i), numel });
    const strides = shape.map((_, d) => shape.slice(d + 1).reduce((a, b) => a * b, 1));
    const parts = { of, offset: int(0), size: tuple(...shape.map(int)), stride: tuple(...strides.map(int)) };
    return [text(key), tensor(parts)];
  });
  const entries = [
    { name: "model/data.pkl", data: pickle(dict(...items)) },
    { name: "model/byteorder", data: Buffer.from("little") },
    ...storages,
    { name: "model/version", data: Buffer.from("3\n") },
  ];
  writeFileSync(path, zip(entries));
}
