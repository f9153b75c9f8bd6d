// Work of training-set.test.ts in a process of its own: fills a cache in small shards, tells how far it is, and stands still
// after 8 pictures until it is killed.
import { writeSync } from "node:fs";
import { openImageFolder } from "../src/data/index.ts";
import { describeItems, openTrainingSet } from "../src/experiment/cache/index.ts";
import { setNumThreads } from "../src/torch/index.ts";

const [images = "", model = "", dir = ""] = process.argv.slice(2);
setNumThreads(1);
const items = await describeItems(openImageFolder(images).items);
using _set = await openTrainingSet({
  ...{ items, model: { folder: model }, resolution: 64, device: "cpu", crop: "centre", flip: false },
  cache: { dir, shardRows: 4 },
  report: (task, done) => {
    if (task !== "encoding images") return;
    writeSync(1, `${done}\n`);
    if (done >= 8) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  },
});
