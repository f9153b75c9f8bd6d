// Work of src/checkpoint/run-state/kill.test.ts in a process of its own: saves checkpoint after checkpoint, telling the step of each, until it is killed.
import { latestRunState, openRunState, saveRunState } from "../src/checkpoint/index.ts";
import { full, scope, setNumThreads } from "../src/torch/index.ts";

const [dir = ""] = process.argv.slice(2);
setNumThreads(1);
const last = latestRunState(dir);
let step = last === undefined ? 0 : openRunState(last.path).step;
for (;;) {
  step++;
  scope(() => {
    const tensors = {
      weights: new Map([["w", full([20_000], step)]]),
      optimizer: new Map([["m", full([40_000], step)]]),
    };
    // Every other one is saved twice: the second replaces the first.
    for (let times = 1 + (step % 2); times > 0; times--)
      saveRunState(dir, { step, tensors, state: { step } }, { keep: 2 });
  });
  process.stdout.write(`${step}\n`);
}
