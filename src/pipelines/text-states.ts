// Text states of prompts, each distinct prompt encoded once.
import { inferenceMode, keep, scope, stack, type Tensor, tensor } from "../torch/index.ts";
import type { TextEncoder, TextTokenizer } from "./parts.ts";

/** Encodes prompts on demand and keeps the states until it is disposed. */
export class TextStates {
  private readonly states = new Map<string, Tensor>();
  private readonly tokenizer: TextTokenizer;
  private readonly encoder: TextEncoder;
  private readonly device: string;

  constructor(tokenizer: TextTokenizer, encoder: TextEncoder, device = "cpu") {
    this.tokenizer = tokenizer;
    this.encoder = encoder;
    this.device = device;
  }

  /** Encodes those of the prompts that are new, `batchSize` at a time. */
  prepare(prompts: readonly string[], batchSize: number): void {
    const fresh = [...new Set(prompts)].filter((prompt) => !this.states.has(prompt));
    for (let first = 0; first < fresh.length; first += batchSize) {
      const texts = fresh.slice(first, first + batchSize);
      const rows = inferenceMode(() =>
        scope(() => {
          const { inputIds, shape } = this.tokenizer.encode(texts);
          const encoded = this.encoder.forward(tensor(inputIds, { shape: [...shape], device: this.device }));
          return texts.map((_, i) => encoded.select(0, i).clone());
        }),
      );
      rows.forEach((row, i) => this.states.set(texts[i]!, keep(row)));
    }
  }

  /** States of prepared prompts, [prompts, L, D]. */
  of(prompts: readonly string[]): Tensor {
    return stack(
      prompts.map((prompt) => this.states.get(prompt)!),
      0,
    );
  }

  [Symbol.dispose](): void {
    for (const states of this.states.values()) states.dispose();
    this.states.clear();
  }
}
