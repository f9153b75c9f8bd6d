// Text states of prompts, each distinct prompt encoded once.
import { inferenceMode, keep, scope, stack, type Tensor, tensor, upload } from "../torch/index.ts";
import type { TextEncoder, TextTokenizer } from "./parts.ts";

export interface TextStatesOptions {
  readonly device?: string | undefined;
  /** Layers left out at the encoder's end. */
  readonly clipSkip?: number | undefined;
}

/** Encodes prompts on demand and keeps the states until it is disposed. */
export class TextStates {
  private readonly states = new Map<string, Tensor>();
  private readonly tokenizer: TextTokenizer;
  private readonly encoder: TextEncoder;
  private readonly device: string;
  private readonly clipSkip: number;

  constructor(
    tokenizer: TextTokenizer,
    encoder: TextEncoder,
    { device = "cpu", clipSkip = 0 }: TextStatesOptions = {},
  ) {
    this.tokenizer = tokenizer;
    this.encoder = encoder;
    this.device = device;
    this.clipSkip = clipSkip;
  }

  /** States of prompts, [prompts, L, D]; new ones are encoded first. */
  of(prompts: readonly string[]): Tensor {
    return stack(
      prompts.map((prompt) => this.one(prompt)),
      0,
    );
  }

  /** Releases the states of prompts that are not needed any more. */
  forget(prompts: Iterable<string>): void {
    for (const prompt of prompts) {
      this.states.get(prompt)?.dispose();
      this.states.delete(prompt);
    }
  }

  /** One prompt at a time: its states then do not depend on which other prompts there are, to the last bit. */
  private one(prompt: string): Tensor {
    const found = this.states.get(prompt);
    if (found !== undefined) return found;
    const fresh = inferenceMode(() =>
      scope(() => {
        const { inputIds, shape } = this.tokenizer.encode([prompt]);
        const ids = upload(tensor(inputIds, { shape: [...shape] }), this.device);
        const options = this.clipSkip > 0 ? { clipSkip: this.clipSkip } : undefined;
        return keep(this.encoder.forward(ids, options).select(0, 0).clone());
      }),
    );
    this.states.set(prompt, fresh);
    return fresh;
  }

  [Symbol.dispose](): void {
    this.forget([...this.states.keys()]);
  }
}
