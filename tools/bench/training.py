"""Stage 3 of the reference in Python, step by step as its training script makes it. Twin of bench/training.ts.

Written anew after the loop of the reference's train_text_to_image.py (--eiil 1, --delta True): every step runs the VAE and the
text encoder, the base and its trained copy, the group objective, torch.optim.AdamW as it comes, clipping at 1 and reads the
numbers that the reference reads. Images are decoded and captions tokenized beforehand, so that only the recipe counts.
"""
import copy
import json
import math
import os
import pathlib
import resource
import statistics
import subprocess
import sys

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
from diffusers.optimization import get_scheduler
from measure import CALLS, now, prepare, print_result
from transformers import CLIPTextConfig, CLIPTextModel

GOLDEN = pathlib.Path(__file__).parents[2] / "test/golden"
GROUPS = 4
SIZES = {
    "small": dict(batch=16, images=64, resolution=64, vocabulary=500, tokens=77, steps=CALLS, warmup=3),
    "birds": dict(batch=32, images=64, resolution=64, vocabulary=500, tokens=16, steps=CALLS, warmup=3),
    "full": dict(batch=1, images=2, resolution=256, vocabulary=49408, tokens=77, steps=max(2, round(CALLS / 10)), warmup=1),
}


def wave(shape, frequency):
    """Deterministic numbers in [-1, 1] that both languages make alike."""
    index = torch.arange(math.prod(shape), dtype=torch.float64) % 99991
    return torch.sin(frequency * index).float().view(shape)


def models(size):
    if size == "small":
        folder = GOLDEN / "tiny-sd1"
        return [
            kind.from_pretrained(folder, subfolder=name)
            for kind, name in ((AutoencoderKL, "vae"), (CLIPTextModel, "text_encoder"), (UNet2DConditionModel, "unet"))
        ]
    if size == "birds":
        folder = GOLDEN.parents[1] / "assets/birds"
        return [
            AutoencoderKL.from_pretrained(folder, subfolder="vae").float(),
            CLIPTextModel.from_pretrained(folder, subfolder="text_encoder").float(),
            UNet2DConditionModel.from_config(json.loads((folder / "unet/config.json").read_text())),
        ]
    configs = json.loads((GOLDEN / "architectures.json").read_text())
    config = lambda name: configs[f"sd14.{name}"]["config"]
    return [
        AutoencoderKL.from_config(config("vae")),
        CLIPTextModel(CLIPTextConfig(**config("text_encoder"))),
        UNet2DConditionModel.from_config(config("unet")),
    ]


class Blend(torch.nn.Module):
    """The frozen base and its trained copy, whose last convolution starts at zero."""

    def __init__(self, base, ratio=0.5):
        super().__init__()
        self.base, self.delta, self.ratio = base, copy.deepcopy(base), ratio
        self.base.requires_grad_(False)
        for parameter in self.delta.conv_out.parameters():
            parameter.data.fill_(0)

    def forward(self, *inputs):
        base = self.base(*inputs, return_dict=False)[0]
        delta = self.delta(*inputs, return_dict=False)[0]
        return self.ratio * delta + (1 - self.ratio) * base


def group_loss(prediction, target, groups, weight):
    """Mean over the groups plus `weight` times their variance."""
    loss = F.mse_loss(prediction.float(), target.float(), reduction="none").mean(dim=[1, 2, 3]).reshape(-1, 1)
    means = (loss.T @ groups.type_as(loss)) / (groups.sum(dim=0) + 1e-9)
    present = [means[0][i] for i in range(len(means[0])) if means[0][i] > 1e-9]
    present = torch.stack(present) if present else means
    mean, variance = present.mean(), present.var()
    return (mean + weight * variance if len(present) > 1 else mean), mean, variance


def measure(size):
    options = SIZES[size]
    batch, images = options["batch"], options["images"]
    torch.manual_seed(0)
    vae, text_encoder, unet = models(size)
    vae.requires_grad_(False)
    text_encoder.requires_grad_(False)
    unet = Blend(unet)
    unet.train()
    scheduler = DDPMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")
    optimizer = torch.optim.AdamW(unet.parameters(), lr=1e-4, betas=(0.9, 0.999), weight_decay=1e-2, eps=1e-8)
    rates = get_scheduler("constant", optimizer)

    resolution = options["resolution"]
    pixels = wave([images, 3, resolution, resolution], 0.37)
    tokens = options["tokens"]
    ids = (torch.arange(images * tokens) * 7919 % options["vocabulary"]).view(images, tokens)
    groups = torch.tensor([[1.0 + (i + 3 * g) % 5 for g in range(GROUPS)] for i in range(images)])
    groups = groups / groups.sum(1, keepdim=True)
    losses, means, variances = [], [], []

    def given_loss():
        rows = torch.arange(batch)
        with torch.no_grad():
            latents = vae.encode(pixels[rows]).latent_dist.mean * vae.config.scaling_factor
            noise, timesteps = wave(latents.shape, 1.3), rows * 61 % 1000
            states = text_encoder(ids[rows], return_dict=False)[0]
            prediction = unet(scheduler.add_noise(latents, noise, timesteps), timesteps, states)
            return group_loss(prediction, noise, groups[rows], 1.0)[0].item()

    def step(index):
        rows = (index * batch + torch.arange(batch)) % images
        latents = vae.encode(pixels[rows]).latent_dist.sample() * vae.config.scaling_factor
        noise = torch.randn_like(latents)
        timesteps = torch.randint(0, scheduler.config.num_train_timesteps, (batch,)).long()
        noisy_latents = scheduler.add_noise(latents, noise, timesteps)
        states = text_encoder(ids[rows], return_dict=False)[0]
        loss, mean, variance = group_loss(unet(noisy_latents, timesteps, states), noise, groups[rows], 1.0)
        losses.append(loss.item())
        means.append(mean.item())
        variances.append(variance.item())
        train_loss = loss.repeat(batch).mean().item()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(unet.parameters(), 1.0)
        optimizer.step()
        rates.step()
        optimizer.zero_grad()
        return train_loss, loss.detach().item(), rates.get_last_lr()[0]

    values = {"loss of given noise, millionths": 1e6 * given_loss()} if size == "small" else {}
    times = []
    for index in range(options["warmup"] + options["steps"]):
        start = now()
        step(index)
        times.append(1e3 * (now() - start))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"step": statistics.median(times[options["warmup"] :]), "peak memory, MB": peak, **values}


prepare()
if len(sys.argv) > 1:
    print(json.dumps(measure(sys.argv[1])))
else:
    # Each size in a process of its own: peak memory is a process's, not a step's.
    result = {}
    for size in os.environ.get("BENCH_CASES", ",".join(SIZES)).split(","):
        child = subprocess.run([sys.executable, __file__, size], check=True, stdout=subprocess.PIPE, text=True)
        values = json.loads(child.stdout.strip().split("\n")[-1])
        result |= {f"{size}: {name}": value for name, value in values.items()}
    print_result("ms", result)
