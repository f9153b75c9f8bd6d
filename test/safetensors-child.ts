// Work of safetensors-memory.test.ts in a process of its own: writes tensors and tells by how much its peak memory grew.
import { writeSafetensors } from "../src/checkpoint/index.ts";
import { ones, scope, setNumThreads } from "../src/torch/index.ts";

const [path = "", layout = ""] = process.argv.slice(2);
setNumThreads(1);
scope(() => {
  const make = {
    plain: () => ones([4096, 4096]), // 64 MiB
    transposed: () => ones([8192, 8192]).transpose(0, 1), // 256 MiB
    permuted: () => ones([1, 64, 1024, 1024]).permute([0, 3, 2, 1]), // 256 MiB
  }[layout]!;
  const tensors = Object.fromEntries(["a", "b", "c"].map((name) => [name, make()]));
  writeSafetensors(`${path}.first`, { a: ones([2, 2]).transpose(0, 1) }); // what any first write costs
  const before = process.resourceUsage().maxRSS;
  writeSafetensors(path, tensors);
  process.stdout.write(String(process.resourceUsage().maxRSS - before));
});
