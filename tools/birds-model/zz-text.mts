import { setFlushDenormal, setNumThreads, scope, tensor } from "../../src/torch/index.ts";
import { loadTextEncoder } from "../../src/models/index.ts";
import { balancedBirds } from "./birds.ts";
import { makeTokenizer } from "./model-folder.ts";
import { trainText } from "./train-text.ts";
setFlushDenormal(true); setNumThreads(1);
const tok = makeTokenizer("/tmp/bm-tok");
const show = (m: any) => scope(() => { const e = tok.encode(["a photo of a landbird", "a photo of a waterbird", ""]); const c = m.forward(tensor(e.inputIds, { shape: e.shape }));
 const rel = (a: number, b: number) => c.select(0, a).sub(c.select(0, b)).norm().item() / c.select(0, a).norm().item(); 
 const pos = c.select(0,0).sub(c.select(0,1)).square().sum([1]).sqrt().div(c.select(0,0).square().sum([1]).sqrt()).toNumbers().map((v:number)=>v.toFixed(2)).join(" ");
 console.log("  land-water", rel(0, 1).toFixed(2), "land-empty", rel(0,2).toFixed(2), "|", pos); });
show(loadTextEncoder("assets/birds/text_encoder", { dtype: "float32" }));
const { train } = await balancedBirds({ train: 6000, validation: 8 });
for (const [lr, steps] of [[2e-3, 200], [3e-3, 300], [5e-3, 300]] as const) {
const t = performance.now();
const { text: m } = trainText(train, tok, { steps, batchSize: 32, lr, seed: 0, logEvery: 100, log: (s, l) => console.log(lr, s, l.toFixed(4)) });
console.log("seconds", (performance.now() - t) / 1e3); show(m);
}
