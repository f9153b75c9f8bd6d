// Work of src/experiment/groups/loss-shards.test.ts in a process of its own: measures in small files, telling after each batch how far it is.
import { measureLosses } from "../src/experiment/groups/index.ts";
import { setNumThreads } from "../src/torch/index.ts";
import { lossesJob } from "./losses-job.ts";

const [dir = ""] = process.argv.slice(2);
setNumThreads(1);
const { parts, set, options } = lossesJob();
await measureLosses(dir, parts, set, {
  ...options,
  onProgress: (done) => process.stdout.write(`${done}\n`),
});
