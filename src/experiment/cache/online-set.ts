// A training set without a cache: every batch is decoded, cropped, mirrored and encoded when it is asked for.
import { loadImages, type PictureReading, type TrainingSet } from "../../data/index.ts";
import { keep, scope, type Tensor, tensor } from "../../torch/index.ts";
import { readContent } from "./content.ts";
import type { Encoders } from "./encoders.ts";
import { checkRequest, type SetItems } from "./set-items.ts";

/** Pictures decoded at once, in sharp's threads. */
const CONCURRENCY = 8;

/** The set owns the encoders and disposes of them. */
export function onlineSet(items: SetItems, encoders: Encoders, resolution: number): TrainingSet {
  const { ids, captions, captionsOf, files, hashes } = items;
  const { latentShape, scalingFactor, device } = encoders;
  const decode: PictureReading["decode"] = async (request, signal) => {
    checkRequest(items, request);
    const { rows, flips, crops } = request;
    return loadImages(
      Array.from(rows, (row) => files[row]!),
      {
        ...{ size: resolution, flips, crops, concurrency: CONCURRENCY, signal },
        read: (file, i) => readContent(file, hashes[rows[i]!]!),
      },
    );
  };
  const encode = (pictures: Tensor): Tensor => encoders.moments(pictures);
  const states = (asked: Int32Array): Tensor => statesOf(encoders, asked, captions);
  return {
    ...{ ids, captions, captionsOf, latentShape, scalingFactor, device },
    async load(request) {
      using pictures = await decode(request);
      const moments = encode(pictures);
      try {
        return { moments, encoderHiddenStates: states(request.captions) };
      } catch (error) {
        moments.dispose();
        throw error;
      }
    },
    reading: { kind: "pictures", decode, encode, states, stateShape: encoders.stateShape },
    [Symbol.dispose]: () => encoders[Symbol.dispose](),
  };
}

/** Each distinct caption of the batch once. */
function statesOf(encoders: Encoders, asked: Int32Array, captions: readonly string[]): Tensor {
  const distinct = [...new Set(asked)];
  using states = encoders.states(distinct.map((caption) => captions[caption]!));
  const order = Int32Array.from(asked, (caption) => distinct.indexOf(caption));
  return keep(scope(() => states.indexSelect(0, tensor(order, { dtype: "int64", device: encoders.device }))));
}
