"""A training step of either stage: what a fast eager loop does. The data lie on the card beforehand, nothing is read back."""
import copy
import math

import torch
from adapters import compose, wrap
from timing import memory, time_blocks
from unet import UNet

SCALING = 0.18215
TIMESTEPS = 1000


def alphas_cumprod(device):
    """Of the scaled-linear schedule of Stable Diffusion."""
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, TIMESTEPS, dtype=torch.float32) ** 2
    return torch.cumprod(1 - betas, dim=0).to(device)


def new_network(kind, config, device, *, layout, dtype=None):
    with torch.device(device):
        network = kind(config)
    return network.to(dtype=dtype, memory_format=layout)


class Denoiser:
    """What predicts, and its trained parameters; `guidance` is None for the full U-Net."""

    def __init__(self, case, device, layout, composed):
        guidance = case.get("guidance")
        dtype = getattr(torch, case["precision"])
        mixed = lambda: torch.autocast(torch.device(device).type, dtype, enabled=dtype != torch.float32)
        base = new_network(UNet, case["unet"], device, layout=layout)
        if guidance is None:
            self.parameters = list(base.parameters())
            self.run = self.inside(mixed, base)
            return
        base.requires_grad_(False)
        if guidance["module"] == "lora":
            network, self.parameters = (compose if composed else wrap)(base, guidance["rank"])
            self.run = self.inside(mixed, network)
            return
        own = guidance.get("unet")
        network = new_network(UNet, own, device, layout=layout) if own else copy.deepcopy(base)
        network.requires_grad_(True)
        self.parameters = list(network.parameters())
        trained = self.inside(mixed, network)
        if guidance["form"] == "difference":
            # At full strength base + (network - base) is the network.
            self.run = trained
            return
        # The frozen base needs no float32 weights.
        base, ratio = base.to(dtype), guidance["ratio"]

        def blend(x, timesteps, states):
            with torch.no_grad():
                fixed = base(x.to(dtype), timesteps, states.to(dtype))
            return ratio * trained(x, timesteps, states) + (1 - ratio) * fixed

        self.run = blend

    @staticmethod
    def inside(mixed, network):
        def run(*inputs):
            with mixed():
                return network(*inputs)

        return run


def group_objective(losses, weights, variance_weight):
    means = (losses @ weights) / weights.sum(0)
    return means.mean() + variance_weight * means.var()


def training(case, variant, device):
    """Milliseconds of a step: noise, forward, loss, backward, clip, AdamW."""
    batch, rows, (channels, *space) = case["batch"], case["images"], case["latentShape"]
    layout = torch.contiguous_format if "NCHW" in variant else torch.channels_last
    denoiser = Denoiser(case, device, layout, "composed" in variant)
    optimizer = torch.optim.AdamW(denoiser.parameters, lr=1e-5, weight_decay=1e-2, fused=True)
    moments = torch.randn(rows, 2 * channels, *space, device=device)
    states = torch.randn(rows, case["tokens"], case["textWidth"], device=device)
    groups = torch.rand(rows, 2, device=device) if case.get("guidance") else None
    signal = alphas_cumprod(device)
    order = torch.arange(64 * batch, device=device).view(64, batch) % rows
    count, last = 0, None

    def step():
        nonlocal count, last
        index = order[count % len(order)]
        count += 1
        mean, logvar = moments[index].chunk(2, dim=1)
        latents = SCALING * (mean + torch.exp(0.5 * logvar.clamp(-30, 20)) * torch.randn_like(mean))
        noise = torch.randn_like(latents)
        timesteps = torch.randint(0, TIMESTEPS, (batch,), device=device)
        share = signal[timesteps].view(-1, 1, 1, 1)
        noisy = (share.sqrt() * latents + (1 - share).sqrt() * noise).contiguous(memory_format=layout)
        prediction = denoiser.run(noisy, timesteps, states[index])
        losses = (prediction.float() - noise).square().flatten(1).mean(1)
        loss = losses.mean() if groups is None else group_objective(losses, groups[index], 1.0)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(denoiser.parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        last = loss.detach()

    times = time_blocks(step, device, warmup=case["warmup"], blocks=case["blocks"], steps=case["steps"])
    if not math.isfinite(last.item()):
        raise ArithmeticError(f"the loss after {count} steps is {last.item()}")
    return [{"row": "", "milliseconds": times, **memory(device)}]
