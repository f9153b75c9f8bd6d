"""Writes test/golden/nn.safetensors: values and gradients of every layer, the optimizer, clipping, EMA and LoRA.

Needs torch 2.13, safetensors, and the diffusers sources (0.40) on PYTHONPATH:
    PYTHONPATH=diffusers/src python tools/golden/nn.py test/golden/nn.safetensors
"""
import sys

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

torch.set_num_threads(1)
gen = torch.Generator().manual_seed(7)
rn = lambda *s: torch.randn(s, generator=gen)
T = {}


def layer(name, fn, **inputs):
    """Inputs, output, a cotangent, and the gradient of every floating-point input."""
    leaves = {k: v.clone().requires_grad_(v.is_floating_point()) for k, v in inputs.items()}
    y = fn(**leaves)
    w = rn(*y.shape)
    (y * w).sum().backward()
    for k, v in leaves.items():
        T[f"{name}.{k}"] = v.detach()
        if v.grad is not None:
            T[f"{name}.grad.{k}"] = v.grad
    T[f"{name}.out"], T[f"{name}.cotangent"] = y.detach(), w


layer("linear", lambda x, weight, bias: F.linear(x, weight, bias), x=rn(2, 3, 5), weight=rn(4, 5), bias=rn(4))
layer("conv2d", lambda x, weight, bias: F.conv2d(x, weight, bias, 2, 1), x=rn(2, 3, 7, 6), weight=rn(4, 3, 3, 3), bias=rn(4))
layer("group_norm", lambda x, weight, bias: F.group_norm(x, 2, weight, bias, 1e-6), x=rn(2, 6, 3, 3), weight=rn(6), bias=rn(6))
layer("layer_norm", lambda x, weight, bias: F.layer_norm(x, (6,), weight, bias, 1e-5), x=rn(2, 3, 6), weight=rn(6), bias=rn(6))
layer("embedding", lambda x, weight: F.embedding(x, weight), x=torch.tensor([[0, 3, 3], [1, 4, 0]]), weight=rn(5, 4))


def attention(query, key, value, heads, causal):
    split = lambda t: t.view(t.shape[0], -1, heads, t.shape[-1] // heads).transpose(1, 2)
    q, k, v = split(query), split(key), split(value)
    scores = q @ k.transpose(-1, -2) / (q.shape[-1] ** 0.5)
    if causal:
        scores = scores + torch.full(scores.shape[-2:], float("-inf")).triu(1)
    return (scores.softmax(-1) @ v).transpose(1, 2).reshape(query.shape)


layer("attention", lambda query, key, value: attention(query, key, value, 2, False), query=rn(2, 4, 8), key=rn(2, 5, 8), value=rn(2, 5, 8))
layer("attention_causal", lambda query, key, value: attention(query, key, value, 2, True), query=rn(2, 4, 8), key=rn(2, 4, 8), value=rn(2, 4, 8))

ACT = {
    "silu": F.silu,
    "gelu": F.gelu,
    "gelu_new": lambda x: F.gelu(x, approximate="tanh"),
    "quick_gelu": lambda x: x * torch.sigmoid(1.702 * x),
    "relu": F.relu,
    "tanh": torch.tanh,
}
for name, fn in ACT.items():
    layer(f"act.{name}", lambda x, fn=fn: fn(x), x=3 * rn(11))

from diffusers.models.embeddings import TimestepEmbedding, get_timestep_embedding

t = torch.tensor([0.0, 1.0, 7.5, 500.0, 999.0])
T["timesteps"] = t
for dim, flip, shift in ((16, True, 0), (16, False, 1), (17, True, 0)):
    T[f"sinusoid.{dim}.{int(flip)}.{shift}"] = get_timestep_embedding(t, dim, flip_sin_to_cos=flip, downscale_freq_shift=shift)
te = TimestepEmbedding(6, 8)
params = {k: rn(*v.shape) for k, v in te.state_dict().items()}
layer(
    "timestep_embedding",
    lambda **kw: torch.func.functional_call(te, {k.replace("/", "."): v for k, v in kw.items() if k != "x"}, (kw["x"],)),
    x=rn(3, 6),
    **{k.replace(".", "/"): v for k, v in params.items()},
)

# Default initialisation: one generator for weight, then bias.
for name, make in {"linear": lambda: torch.nn.Linear(6, 3), "conv2d": lambda: torch.nn.Conv2d(2, 4, 3), "embedding": lambda: torch.nn.Embedding(5, 4)}.items():
    torch.manual_seed(3)
    for k, v in make().state_dict().items():
        T[f"init.{name}.{k}"] = v

# AdamW with clipping and a changing rate, 20 steps of given gradients; "b" has none at every third step.
N = 20
p = {"a": rn(4, 3).requires_grad_(), "b": rn(7).requires_grad_()}
grads = {"a": 2 * rn(N, 4, 3), "b": 0.1 * rn(N, 7)}
for k in p:
    T[f"adamw.start.{k}"], T[f"adamw.grads.{k}"] = p[k].detach().clone(), grads[k]
opt = torch.optim.AdamW(p.values(), lr=1e-2, betas=(0.9, 0.99), eps=1e-8, weight_decay=0.05)
norms = []
for i in range(N):
    for k in p:
        p[k].grad = None if k == "b" and i % 3 == 2 else grads[k][i].clone()
    for group in opt.param_groups:
        group["lr"] = 1e-2 / (1 + 0.1 * i)
    norms.append(torch.nn.utils.clip_grad_norm_(p.values(), 3.0))
    opt.step()
T["adamw.norms"] = torch.stack(norms)
for k in p:
    T[f"adamw.end.{k}"] = p[k].detach()
    for s in ("exp_avg", "exp_avg_sq", "step"):
        T[f"adamw.{s}.{k}"] = opt.state[p[k]][s]

from diffusers.training_utils import EMAModel

walk = rn(30, 5).cumsum(0)
T["ema.walk"] = walk
for name, kw in {"plain": {}, "warmup": dict(use_ema_warmup=True, inv_gamma=2.0, power=0.75, update_after_step=3, decay=0.9, min_decay=0.1)}.items():
    w = torch.nn.Parameter(walk[0].clone())
    ema = EMAModel([w], **kw)
    decays = []
    for i in range(30):
        w.data = walk[i].clone()
        ema.step([w])
        decays.append(ema.cur_decay_value)
    T[f"ema.{name}"], T[f"ema.{name}.decays"] = ema.shadow_params[0], torch.tensor(decays, dtype=torch.float64)

# Low-rank updates: rank 2, alpha 4, scale 0.5.
layer("lora_linear", lambda x, weight, bias, lora_A, lora_B: F.linear(x, weight, bias) + 0.5 * 4 / 2 * F.linear(F.linear(x, lora_A), lora_B), x=rn(2, 3, 5), weight=rn(4, 5), bias=rn(4), lora_A=rn(2, 5), lora_B=rn(4, 2))
layer("lora_conv2d", lambda x, weight, bias, lora_A, lora_B: F.conv2d(x, weight, bias, 2, 1) + 0.5 * 4 / 2 * F.conv2d(F.conv2d(x, lora_A, None, 2, 1), lora_B), x=rn(2, 3, 7, 6), weight=rn(4, 3, 3, 3), bias=rn(4), lora_A=rn(2, 3, 3, 3), lora_B=rn(4, 2, 1, 1))

save_file({k: v.detach().contiguous().clone() for k, v in T.items()}, sys.argv[1])
print(len(T), "tensors")
