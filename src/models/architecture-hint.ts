// When weights do not fit their configuration: what they look like instead, so that the right file can be found.

interface Shaped {
  readonly shape: readonly number[];
}

type Weights = ReadonlyMap<string, Shaped>;
type Config = Readonly<Record<string, unknown>>;

/** Widths of the text states; they tell the families of Stable Diffusion apart. */
const FAMILIES: Readonly<Record<number, string>> = {
  768: "Stable Diffusion 1.x",
  1024: "Stable Diffusion 2.x",
  2048: "Stable Diffusion XL",
};

/** Input channels of U-Nets that see more than noisy latents. */
const INPUTS: Readonly<Record<number, string>> = { 5: "depth to image", 8: "image editing", 9: "inpainting" };

const family = (width: unknown): string => {
  const name = FAMILIES[width as number];
  return name === undefined ? String(width) : `${String(width)} (${name})`;
};

/** One sentence for each thing recognised, or undefined. */
export function architectureHint(weights: Weights, config: Config): string | undefined {
  const hints = [
    otherFile([...weights.keys()]),
    otherPart(weights, config),
    otherWidth(weights, config),
    otherInput(weights, config),
    otherProjection(weights, config),
  ].filter((hint) => hint !== undefined);
  return hints.length === 0 ? undefined : hints.join("\n");
}

/** Files that are no model of ours at all. */
function otherFile(keys: readonly string[]): string | undefined {
  const some = (pattern: RegExp) => keys.some((key) => pattern.test(key));
  if (some(/^pretrain_unet\./) && some(/^delta\./))
    return "These are base and guidance of InvDiff in one file; load its folders unet_pretrain_unet and unet_delta (loadInvdiffCheckpoint).";
  if (some(/\.lora_A\.|\.lora_B\.|lora_up|lora_down|\.lora\.(up|down)\./))
    return "These are LoRA adapters, which need the model that they were trained on; load that one and the adapters on top.";
  if (some(/^add_embedding\./)) return "These look like the weights of Stable Diffusion XL.";
  return undefined;
}

/** The kind of component, by a key that every one of them has. */
function partOf(weights: Weights): string | undefined {
  const has = (pattern: RegExp) => [...weights.keys()].some((key) => pattern.test(key));
  if (has(/^time_embedding\.linear_1\.weight$/)) return "a U-Net";
  if (has(/^decoder\.conv_in\.weight$/)) return "an autoencoder";
  if (has(/^(text_model\.)?embeddings\.token_embedding\.weight$/)) return "a text encoder";
  return undefined;
}

function configuredPart(config: Config): string | undefined {
  if ("cross_attention_dim" in config) return "a U-Net";
  if ("latent_channels" in config) return "an autoencoder";
  return "vocab_size" in config ? "a text encoder" : undefined;
}

function otherPart(weights: Weights, config: Config): string | undefined {
  const [found, expected] = [partOf(weights), configuredPart(config)];
  if (found === undefined || expected === undefined || found === expected) return undefined;
  return `These look like the weights of ${found}, the configuration is that of ${expected}.`;
}

function otherWidth(weights: Weights, config: Config): string | undefined {
  const places = [
    { pattern: /\.attn2\.to_k\.weight$/, option: "cross_attention_dim" },
    { pattern: /^(text_model\.)?embeddings\.token_embedding\.weight$/, option: "hidden_size" },
  ];
  for (const { pattern, option } of places) {
    const width = shapeOf(weights, pattern)?.[1];
    const configured = config[option];
    if (width === undefined || typeof configured !== "number" || width === configured) continue;
    return `These look like weights for ${option} ${family(width)}, the configuration says ${family(configured)}.`;
  }
  return undefined;
}

function otherInput(weights: Weights, config: Config): string | undefined {
  const channels = shapeOf(weights, /^conv_in\.weight$/)?.[1];
  const use = INPUTS[channels ?? 0];
  if (use === undefined || channels === config.in_channels) return undefined;
  return `These look like the weights of a U-Net for ${use} (${channels} input channels), which is not text to image.`;
}

function otherProjection(weights: Weights, config: Config): string | undefined {
  const shape = shapeOf(weights, /\.attentions\.0\.proj_in\.weight$/);
  const { use_linear_projection: configured } = config;
  const linear = shape?.length === 2;
  if (shape === undefined || typeof configured !== "boolean" || linear === configured) return undefined;
  const found = linear ? "linear layers" : "convolutions";
  return `The weights have ${found} around the transformers, the configuration says use_linear_projection ${configured}.`;
}

function shapeOf(weights: Weights, pattern: RegExp): readonly number[] | undefined {
  for (const [key, { shape }] of weights) if (pattern.test(key)) return shape;
  return undefined;
}
