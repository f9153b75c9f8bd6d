// CLIP from pixel values and prompts to scores. Goldens: clip, tiny-clip. As test/parity/clip.test.ts.
import { readFileSync } from "node:fs";
import { clipScores } from "../../../src/metrics/index.ts";
import { loadClip } from "../../../src/models/index.ts";
import { ClipTokenizer } from "../../../src/tokenizers/index.ts";
import { noGrad, scope, tensor } from "../../../src/torch/index.ts";
import { golden } from "../../../test/golden-dir.ts";
import { type Checks, Fixture, inPrecision, largestDifference, relativeError } from "./checks.ts";
import { LIMITS } from "./tolerances.ts";

/** Embeddings of two pictures and two prompts, and their scores. */
export function checkClip(checks: Checks): void {
  const { device, precision } = checks;
  const { output, score } = LIMITS[precision];
  const { prompts } = JSON.parse(readFileSync(golden("clip.json"), "utf8")) as { prompts: string[] };
  using fixture = new Fixture("clip.safetensors");
  using clip = loadClip(golden("tiny-clip"), { device });
  const { inputIds, shape } = ClipTokenizer.load(golden("tiny-clip")).encode(prompts);
  noGrad(() =>
    scope(() => {
      const images = inPrecision(checks, () => clip.imageEmbeds(fixture.get("pixel_values").to(device)));
      const texts = inPrecision(checks, () => clip.textEmbeds(tensor(inputIds, { shape, device })));
      const [wantedImages, wantedTexts] = [fixture.get("image_embeds"), fixture.get("text_embeds")];
      checks.within("clip: image embeddings", "two pictures", relativeError(images, wantedImages), output);
      checks.within("clip: text embeddings", "two prompts", relativeError(texts, wantedTexts), output);
      const scores = clipScores(images.to("float32"), texts.to("float32"));
      checks.within("clip: scores", "two pairs", largestDifference(scores, fixture.get("scores")), score);
    }),
  );
}
