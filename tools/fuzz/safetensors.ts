// Damage to safetensors files: the header's JSON with its length kept right, or any byte.
import { uint } from "../../test/pickle-bytes.ts";
import { type Mutate, mutateBytes, numberBytes } from "./bytes.ts";
import { mutateJson } from "./json.ts";

/** A safetensors file with a few changes. */
export const mutateSafetensors: Mutate = (bytes, random) => {
  const dataBegin = 8 + Number(bytes.readBigUInt64LE());
  const [header, data] = [bytes.subarray(8, dataBegin), bytes.subarray(dataBegin)];
  if (random.chance(0.25)) return mutateBytes(bytes, random);
  if (random.chance(0.1)) {
    const changed = Buffer.from(bytes);
    numberBytes(random).copy(changed);
    return changed;
  }
  const json = mutateJson(header, random);
  return Buffer.concat([uint(json.length, 8), json, random.chance(0.1) ? mutateBytes(data, random) : data]);
};
