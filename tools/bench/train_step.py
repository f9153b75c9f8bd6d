"""The quickstart's training, guidance and sampling steps in Python. Twin of bench/train-step.ts.

Needs the same torch build and diffusers (PYTHONPATH may point to its sources). Idiomatic PyTorch at its fastest:
AdamW(fused=True), clip_grad_norm_(foreach=True), EMAModel(foreach=True), and for LoRA the same composed weights as ours
(torch.func.functional_call) instead of PEFT's wrapped layers, which run every activation through the adapters.
"""
import json
import pathlib
import statistics

import torch
from diffusers import DDIMScheduler, UNet2DConditionModel
from diffusers.training_utils import EMAModel
from measure import CALLS, prepare, print_result, time_calls

BATCH, IMAGES = 64, 512
FOLDER = pathlib.Path(__file__).parents[2] / "assets/birds"

prepare()
torch.manual_seed(0)
unet = UNet2DConditionModel.from_config(json.loads((FOLDER / "unet/config.json").read_text())).train()
scheduler = DDIMScheduler.from_config(json.loads((FOLDER / "scheduler/scheduler_config.json").read_text()))
all_latents = torch.randn(IMAGES, 4, 8, 8)
all_states = torch.randn(3, 16, 64)
caption_of = torch.arange(IMAGES) % 2
indices = (torch.arange(BATCH) * 7) % IMAGES
generator = torch.Generator()


def losses(denoise):
    """Loss of each sample of a fresh batch."""
    generator.manual_seed(0)
    latents = all_latents[indices]
    noise = torch.randn(latents.shape, generator=generator)
    timesteps = torch.randint(0, 1000, (BATCH,), generator=generator)
    caption = torch.where(torch.rand(BATCH, generator=generator) < 0.1, 2, caption_of[indices])
    prediction = denoise(scheduler.add_noise(latents, noise, timesteps), timesteps, all_states[caption])
    target = scheduler.get_velocity(latents, noise, timesteps)
    return (prediction.float() - target.float()).square().flatten(1).mean(1)


class Trainer:
    def __init__(self, parameters):
        self.parameters = parameters
        self.optimizer = torch.optim.AdamW(parameters, lr=1e-4, fused=True)
        self.ema = EMAModel(parameters, decay=0.995, foreach=True)

    def update(self):
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.ema.step(self.parameters)

    def step(self, loss):
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, 1.0, foreach=True)
        self.update()
        return loss.item(), norm.item()


def denoise(sample, timesteps, states):
    return unet(sample, timesteps, states, return_dict=False)[0]


values = {}


def measure(name, fn):
    values[name] = statistics.median(time_calls(fn, warmup=3, calls=CALLS))


# 1. A training step and its parts.
trainer = Trainer(list(unet.parameters()))
measure("training step", lambda: trainer.step(losses(denoise).mean()))
measure("  forward, loss", lambda: losses(denoise).mean().item())


def forward_backward():
    losses(denoise).mean().backward()
    trainer.optimizer.zero_grad(set_to_none=True)


def optimizer_and_ema():
    trainer.optimizer.step()
    trainer.ema.step(trainer.parameters)


measure("  forward, loss, backward", forward_backward)
losses(denoise).mean().backward()
measure("  AdamW, EMA", optimizer_and_ema)
trainer.optimizer.zero_grad(set_to_none=True)

# 2. A sampling step.
scheduler.set_timesteps(25)
latents, states = torch.randn(BATCH, 4, 8, 8), torch.randn(2 * BATCH, 16, 64)


@torch.inference_mode()
def sample():
    timestep = scheduler.timesteps[10]
    unconditional, conditional = denoise(torch.cat([latents, latents]), timestep, states).chunk(2)
    guided = unconditional + 1.5 * (conditional - unconditional)
    return scheduler.step(guided, timestep, latents, return_dict=False)[0][0].sum().item()


measure("sampling step", sample)

# 3. The guidance step: LoRA of rank 16 in every Linear and Conv2d layer, and the group objective.
unet.requires_grad_(False)
layers = [(n, m) for n, m in unet.named_modules() if isinstance(m, (torch.nn.Linear, torch.nn.Conv2d))]
adapters = {
    f"{name}.weight": (
        layer.weight,
        torch.nn.Parameter(0.01 * torch.randn(16, *layer.weight.shape[1:])),
        torch.nn.Parameter(torch.zeros(layer.weight.shape[0], 16)),
    )
    for name, layer in layers
}


def adapted(*inputs):
    weights = {n: w.add((up @ down.flatten(1)).view(w.shape)) for n, (w, down, up) in adapters.items()}
    return torch.func.functional_call(unet, weights, inputs, {"return_dict": False})[0]


guidance = Trainer([p for _, down, up in adapters.values() for p in (down, up)])
rows = torch.tensor([[0.9, 0.1] if i % 2 == 0 else [0.1, 0.9] for i in range(IMAGES)])


def guidance_step():
    weights = rows[indices]
    group_losses = (losses(adapted).unsqueeze(0) @ weights).view(-1) / weights.sum(0)
    mean, variance = group_losses.mean(), group_losses.var()
    guidance.step(mean + variance)
    return mean.item(), variance.item(), group_losses.tolist()


measure("guidance step (LoRA)", guidance_step)
print_result("ms", values)
