// Pictures loaded by threads in a process of their own; "exit" ends it while they work.
//   node --import tsx test/load-images-child.ts load|exit FILE...
import { loadImages } from "../src/data/index.ts";

const [how, ...files] = process.argv.slice(2);
const options = { size: 64, workers: 2 };
if (how === "exit") {
  const started = () => process.exit(3);
  await loadImages(files, { ...options, onProgress: started });
}
using images = await loadImages(files, options);
process.stdout.write(`${images.toNumbers().reduce((a, b) => a + b, 0)}\n`);
