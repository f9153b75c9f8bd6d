"""Loads with Python what this project saved, and compares values and one forward pass with the originals.

    python tools/python/check_saved.py SAVED GOLDEN

SAVED is a folder written by tools/check-python.ts (which calls this script), GOLDEN the folder of the golden fixtures.
Prints one row per check; exit status 0 when all agree, 2 otherwise. Also writes SAVED/from-python for the way back.
Needs torch, diffusers, transformers, safetensors and peft.
"""

import json
import os
import sys
import warnings

import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline, UNet2DConditionModel
from diffusers.training_utils import EMAModel
from diffusers.utils import logging
from safetensors.torch import load_file
from transformers import CLIPTextModel
from transformers.utils import logging as transformers_logging

saved, golden = sys.argv[1:3]
warnings.simplefilter("ignore", FutureWarning)
logging.set_verbosity_error()
logging.disable_progress_bar()
transformers_logging.set_verbosity_error()
transformers_logging.disable_progress_bar()
torch.set_grad_enabled(False)

failures = 0


def row(what, error, tolerance):
    """One line of the table: the largest difference, and whether it is within the tolerance."""
    global failures
    good = error <= tolerance
    failures += not good
    print(f"{what:58} {error:10.2e} {tolerance:10.0e}  {'ok' if good else 'WRONG'}", flush=True)


def check(what, fn):
    """Runs one group of rows; an exception is a failure with its message."""
    global failures
    try:
        fn()
    except Exception as error:
        failures += 1
        print(f"{what:58} {type(error).__name__}: {error}", flush=True)


def largest(a, b):
    """The largest absolute difference, relative to the largest value; infinite when shapes differ."""
    if a.shape != b.shape:
        return float("inf")
    a, b = a.double(), b.double()
    return float((a - b).abs().max() / b.abs().max().clamp(min=1e-30)) if a.numel() else 0.0


def values(model, other, dtype=torch.float32):
    """The largest difference over all weights; infinite when keys, shapes or dtypes differ."""
    own, expected = model.state_dict(), {k: v.to(dtype) for k, v in other.state_dict().items()}
    if own.keys() != expected.keys() or any(v.dtype != dtype for v in own.values()):
        return float("inf")
    return max(largest(own[key], value) for key, value in expected.items())


def unet_output(unet):
    generator = torch.Generator().manual_seed(0)
    size, width = unet.config.sample_size, unet.config.cross_attention_dim
    sample = torch.randn(2, unet.config.in_channels, size, size, generator=generator)
    states = torch.randn(2, 7, width, generator=generator)
    return unet.float()(sample, torch.tensor([3, 700]), states).sample


def vae_output(vae):
    generator = torch.Generator().manual_seed(1)
    decoded = vae.float().decode(torch.randn(1, vae.config.latent_channels, 4, 4, generator=generator)).sample
    encoded = vae.encode(torch.randn(1, 3, 32, 32, generator=generator)).latent_dist
    return torch.cat([decoded.flatten(), encoded.mean.flatten(), encoded.logvar.flatten()])


def text_output(text):
    ids = torch.arange(2 * 9).view(2, 9) * 7 % text.config.vocab_size
    return text.float()(ids).last_hidden_state


PARTS = {"unet": unet_output, "vae": vae_output, "text_encoder": text_output}
VARIANTS = {
    "pipeline": ({}, torch.float32),
    "sharded": ({}, torch.float32),
    "fp16": ({"variant": "fp16"}, torch.float16),
    "fp16-sharded": ({"variant": "fp16"}, torch.float16),
    "bfloat16": ({}, torch.bfloat16),
}


def check_pipeline(kind, name):
    options, dtype = VARIANTS[name]
    pipe = StableDiffusionPipeline.from_pretrained(os.path.join(saved, kind, name), torch_dtype=dtype, **options)
    original = StableDiffusionPipeline.from_pretrained(os.path.join(golden, f"tiny-{kind}"))
    for part, output in PARTS.items():
        mine, theirs = getattr(pipe, part), getattr(original, part)
        row(f"{kind} {name}: {part}, weights", values(mine, theirs, dtype), 0)
        row(f"{kind} {name}: {part}, forward pass", largest(output(mine), output(theirs.to(dtype))), 0)
    texts = ["a photo of a nurse", "word " * 90, ""]
    ids = [p.tokenizer(texts, padding="max_length", truncation=True, max_length=77).input_ids for p in (pipe, original)]
    row(f"{kind} {name}: tokenizer", float(ids[0] != ids[1]), 0)
    same = {k: v for k, v in pipe.scheduler.config.items() if not k.startswith("_")}
    other = {k: v for k, v in original.scheduler.config.items() if not k.startswith("_")}
    row(f"{kind} {name}: scheduler", float(type(pipe.scheduler) is not type(original.scheduler) or same != other), 0)


def check_lora(kind):
    folder = os.path.join(saved, kind, "lora")
    expected = load_file(os.path.join(folder, "expected.safetensors"))
    pipe = StableDiffusionPipeline.from_pretrained(os.path.join(golden, f"tiny-{kind}"))
    inputs = [expected[name] for name in ("sample", "timesteps", "states")]
    row(f"{kind} LoRA: base", largest(pipe.unet(*inputs).sample, expected["base"]), 1e-5)
    pipe.load_lora_weights(folder)
    adapted = pipe.unet(*inputs).sample
    row(f"{kind} LoRA: adapters change the output", float(largest(adapted, expected["base"]) < 1e-3), 0)
    row(f"{kind} LoRA: forward pass", largest(adapted, expected["adapted"]), 1e-5)


def check_invdiff():
    folder = os.path.join(saved, "invdiff")
    expected = load_file(os.path.join(folder, "expected.safetensors"))
    inputs = [expected.pop(name) for name in ("sample", "timesteps", "states")]
    outputs = {name: expected.pop(name) for name in ("output.base", "output.delta", "output.guided")}
    step = os.path.join(folder, "checkpoint-2000")
    # The loading of the reference's test.py; the combination as its forward pass defines it.
    base = UNet2DConditionModel.from_pretrained(os.path.join(step, "unet_pretrain_unet"))
    delta = UNet2DConditionModel.from_pretrained(step, subfolder="unet_delta")
    original = UNet2DConditionModel.from_pretrained(os.path.join(golden, "tiny-sd2", "unet"))
    with open(os.path.join(step, "args.json")) as file:
        ratio = json.load(file)["delta_ratio"]
    row("InvDiff: base, weights", values(base, original), 0)
    weights = delta.state_dict()
    wrong = float("inf") if weights.keys() != expected.keys() else 0
    row("InvDiff: delta, weights", max([wrong, *(largest(weights[k], v) for k, v in expected.items() if not wrong)]), 0)
    b, d = base(*inputs).sample, delta(*inputs).sample
    row("InvDiff: base, forward pass", largest(b, outputs["output.base"]), 1e-5)
    row("InvDiff: delta, forward pass", largest(d, outputs["output.delta"]), 1e-5)
    row("InvDiff: guided", largest(ratio * d + (1 - ratio) * b, outputs["output.guided"]), 1e-5)
    stage1 = UNet2DConditionModel.from_pretrained(os.path.join(folder, "checkpoint-10", "unet"))
    row("InvDiff: stage 1, weights", values(stage1, original), 0)


def check_exports(kind, form):
    """Exports of a run (invdiff export) against what the run itself predicts."""
    folder = os.path.join(saved, "exports", kind, form)
    expected = load_file(os.path.join(folder, "expected.safetensors"))
    inputs = [expected[name] for name in ("sample", "timesteps", "states")]
    has = lambda name: os.path.exists(os.path.join(folder, name))
    pipeline = lambda name: StableDiffusionPipeline.from_pretrained(os.path.join(folder, name))

    def compare(what, output, name):
        row(f"{kind} export {form}: {what}", largest(output, expected[name]), 1e-5)

    row(f"{kind} export {form}: changes the base", float(largest(expected["guided"], expected["base"]) < 1e-3), 0)
    compare("base", pipeline("base").unet(*inputs).sample, "base")
    for name, output in ("merged", "guided"), ("merged-half", "half"):
        if has(name):
            compare(name, pipeline(name).unet(*inputs).sample, output)
    for name, output in ("lora", "guided"), ("lora-half", "half"):
        if has(name):
            pipe = pipeline("base")
            pipe.load_lora_weights(os.path.join(folder, name))
            compare(f"{name}, load_lora_weights", pipe.unet(*inputs).sample, output)
            pipe.fuse_lora()
            compare(f"{name}, fuse_lora", pipe.unet(*inputs).sample, output)
            pipe.unfuse_lora()
            pipe.unload_lora_weights()
            compare(f"{name}, unloaded", pipe.unet(*inputs).sample, "base")
    step = os.path.join(folder, "invdiff", "checkpoint-12")
    base = UNet2DConditionModel.from_pretrained(os.path.join(step, "unet_pretrain_unet"))(*inputs).sample
    delta = UNet2DConditionModel.from_pretrained(step, subfolder="unet_delta")(*inputs).sample
    with open(os.path.join(step, "args.json")) as file:
        ratio = json.load(file)["delta_ratio"]
    # As the reference's forward pass reads its one number.
    guided = base + delta if ratio <= -1 else base + ratio * delta if ratio > 1 else ratio * delta + (1 - ratio) * base
    compare("invdiff", guided, "guided")


DTYPES = ["float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool"]


def check_dtypes():
    found = load_file(os.path.join(saved, "dtypes.safetensors"))
    row("safetensors: names", float(sorted(found) != sorted(DTYPES)), 0)
    for name in DTYPES:
        dtype = getattr(torch, name)
        numbers = [1, 0, 1] if name == "bool" else [0, 1, 2] if name == "uint8" else [-2, 0, 1]
        error = float("inf") if found[name].dtype != dtype else largest(found[name].double(), torch.tensor(numbers))
        row(f"safetensors: {name}", error, 0)


def write_for_the_way_back():
    """The forms in which Python leaves models, for tools/check-python.ts to read."""
    out = os.path.join(saved, "from-python")
    pipe = StableDiffusionPipeline.from_pretrained(os.path.join(golden, "tiny-sd1"))
    pipe.save_pretrained(os.path.join(out, "plain"))
    pipe.save_pretrained(os.path.join(out, "sharded"), max_shard_size="50KB")
    unet, vae = pipe.unet, pipe.vae
    for part, model in ("unet", unet), ("vae", vae):
        model.save_pretrained(os.path.join(out, "bin", part), safe_serialization=False)
        model.save_pretrained(os.path.join(out, "bin-sharded", part), safe_serialization=False, max_shard_size="300KB")
    os.makedirs(os.path.join(out, "bin", "text_encoder"))
    torch.save(pipe.text_encoder.state_dict(), os.path.join(out, "bin", "text_encoder", "pytorch_model.bin"))
    pipe.text_encoder.config.save_pretrained(os.path.join(out, "bin", "text_encoder"))
    ema = EMAModel(unet.parameters(), model_cls=UNet2DConditionModel, model_config=unet.config)
    ema.save_pretrained(os.path.join(out, "ema", "unet_ema"))
    half = StableDiffusionPipeline.from_pretrained(os.path.join(golden, "tiny-sd1"), torch_dtype=torch.float16)
    half.save_pretrained(os.path.join(out, "fp16"), variant="fp16")
    half.save_pretrained(os.path.join(out, "fp16-sharded"), variant="fp16", max_shard_size="50KB")


for kind in "sd1", "sd2":
    for name in VARIANTS:
        check(f"{kind} {name}", lambda: check_pipeline(kind, name))
    check(f"{kind} LoRA", lambda: check_lora(kind))
    for form in sorted(os.listdir(os.path.join(saved, "exports", kind))):
        check(f"{kind} export {form}", lambda: check_exports(kind, form))
check("InvDiff", check_invdiff)
check("safetensors", check_dtypes)
check("writing for the way back", write_for_the_way_back)
sys.exit(2 if failures else 0)
