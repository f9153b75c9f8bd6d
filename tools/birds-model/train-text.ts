/** Trains text encoder and image tower so that captions of one subject go with pictures of that subject. */
import { Random } from "../../src/data/index.ts";
import { ClipTextModel } from "../../src/models/index.ts";
import { AdamW, clipGradNorm_, lrSchedule, ParamStore } from "../../src/nn/index.ts";
import type { ClipTokenizer } from "../../src/tokenizers/index.ts";
import { scope, tensor } from "../../src/torch/index.ts";
import type { Birds } from "./birds.ts";
import { fill, SUBJECTS, subjectOf, TEMPLATES } from "./captions.ts";
import { imageBatches } from "./image-batches.ts";
import type { ImageTower } from "./image-tower.ts";
import { pairLoss, PairScore } from "./pair-score.ts";

export interface TextTraining {
  readonly steps: number;
  readonly batchSize: number;
  readonly lr: number;
  readonly seed: number;
  readonly logEvery: number;
  readonly log: (step: number, loss: number) => void;
}

export interface TrainedText {
  readonly text: ClipTextModel;
  readonly tower: ImageTower;
}

export function trainText(birds: Birds, tokenizer: ClipTokenizer, options: TextTraining): TrainedText {
  const { steps, batchSize, lr, seed, logEvery, log } = options;
  const model = ClipTextModel.seeded(
    {
      vocab_size: tokenizer.vocabSize,
      hidden_size: 64,
      intermediate_size: 256,
      projection_dim: 64,
      num_hidden_layers: 2,
      num_attention_heads: 2,
      max_position_embeddings: tokenizer.modelMaxLength,
      bos_token_id: tokenizer.special.start,
      eos_token_id: tokenizer.special.end,
      pad_token_id: tokenizer.special.pad,
    },
    seed,
  ).train();
  const score = new PairScore(ParamStore.seeded({ seed: seed + 1 }), model);
  const named = [...model.namedParameters(), ...score.namedParameters()];
  using optimizer = new AdamW(named, { weightDecay: 0.01 });
  const rate = lrSchedule("cosine", { lr, warmupSteps: 20, totalSteps: steps });
  const nextBatch = imageBatches(birds.images, batchSize, seed);
  const subjects = birds.captions.map(subjectOf);
  const random = new Random("captions", seed);

  const step = (): number =>
    scope(() => {
      const { images, indices } = nextBatch();
      const shown = Array.from(indices, (index) => subjects[index]!);
      const captions = shown.map((subject) => fill(random.choice(TEMPLATES), SUBJECTS[subject]!));
      const fits = tensor(shown.map((a) => shown.map((b) => Number(a === b))));
      const loss = pairLoss(score.forward(images, tokenizer.encode(captions)), fits);
      loss.backward();
      clipGradNorm_(
        named.map(([, value]) => value),
        1,
      );
      optimizer.step();
      optimizer.zeroGrad();
      return loss.item();
    });

  for (let i = 0; i < steps; i++) {
    optimizer.lr = rate(i);
    const loss = step();
    if ((i + 1) % logEvery === 0) log(i + 1, loss);
  }
  return { text: model.eval(), tower: score.image.eval() };
}
