"""Stable Diffusion 1.4 at full size in Python. Twin of bench/stable-diffusion.ts; needs torch, transformers and diffusers."""
import json
import os
import pathlib
import statistics

import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from measure import CALLS, now, prepare, print_result, time_calls
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

GOLDEN = pathlib.Path(__file__).parents[2] / "test/golden"
CONFIGS = json.loads((GOLDEN / "architectures.json").read_text())
CASES = set(os.environ.get("BENCH_CASES", "text,vae,unet,gradient,sampling").split(","))

prepare()
torch.manual_seed(0)
values = {}


def measure(name, fn, calls=CALLS):
    values[name] = statistics.median(time_calls(fn, warmup=1, calls=calls))


def config(name):
    return CONFIGS[f"sd14.{name}"]["config"]


ids = torch.full((1, 77), 400)
states = torch.randn(1, 77, 768)
text = CLIPTextModel(CLIPTextConfig(**config("text_encoder"))).eval()
vae = AutoencoderKL.from_config(config("vae")).eval()
unet = UNet2DConditionModel.from_config(config("unet")).eval()

if "text" in CASES:
    with torch.inference_mode():
        measure("text encoder, 77 tokens", lambda: text(ids, return_dict=False), 5 * CALLS)
if "vae" in CASES:
    z = torch.randn(1, 4, 64, 64)
    with torch.inference_mode():
        measure("VAE decode, 64x64 latents", lambda: vae.decode(z, return_dict=False))
if "unet" in CASES:
    z = torch.randn(1, 4, 64, 64)
    with torch.inference_mode():
        measure("U-Net forward, 64x64", lambda: unet(z, 500, states, return_dict=False))
if "sampling" in CASES:
    scheduler = DDIMScheduler(beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012)
    tokenizer = CLIPTokenizer.from_pretrained(GOLDEN / "tiny-tokenizer")
    pipe = StableDiffusionPipeline(
        vae=vae,
        text_encoder=text,
        tokenizer=tokenizer,
        unet=unet,
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipe.set_progress_bar_config(disable=True)
    start = now()
    pipe("a photo", num_inference_steps=10, guidance_scale=7.5, generator=torch.Generator().manual_seed(0))
    values["sampling, 10 steps, guidance 7.5, 512 px"] = 1e3 * (now() - start)
if "gradient" in CASES:
    z = torch.randn(1, 4, 32, 32)

    def step():
        unet(z, 500, states, return_dict=False)[0].square().mean().backward()
        unet.zero_grad(set_to_none=True)

    measure("U-Net forward, backward, 32x32", step)
print_result("ms", values)
