"""Writes test/golden/unet-variants.safetensors: U-Nets with the options of distilled and unusual models.

Needs torch 2.13, safetensors, and the diffusers sources (0.40) on PYTHONPATH:
    PYTHONPATH=diffusers/src python tools/golden/unet-variants.py test/golden/unet-variants.safetensors
"""
import json
import sys

import torch
from closed_form import fill, wave
from diffusers import UNet2DConditionModel
from safetensors.torch import save_file

BASE = dict(
    sample_size=8,
    down_block_types=["CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
    up_block_types=["CrossAttnUpBlock2D", "UpBlock2D"],
    block_out_channels=[8, 16],
    layers_per_block=1,
    norm_num_groups=4,
    cross_attention_dim=6,
    attention_head_dim=2,
)
VARIANTS = {
    "no-middle": dict(mid_block_type=None),
    "plain-middle": dict(mid_block_type="UNetMidBlock2D", mid_block_scale_factor=1.5),
    "only-cross-attention": dict(only_cross_attention=True),
    "cross-attention-of-levels": dict(only_cross_attention=[False, True], conv_in_kernel=5, conv_out_kernel=1),
}
torch.set_num_threads(1)
out = {}
for name, options in VARIANTS.items():
    m = fill(UNet2DConditionModel(**BASE, **options))
    x = wave((2, 4, 8, 8), 1).float().requires_grad_()
    y = m(x, torch.tensor([3, 700]), wave((2, 5, 6), 2).float()).sample
    (y * wave(y.shape, 3).float()).sum().backward()
    out |= {f"{name}.output": y.detach(), f"{name}.grad.sample": x.grad}
    out |= {f"{name}.gradnorm.{n}": p.grad.norm() for n, p in m.named_parameters()}
    print(name, y.std().item())
metadata = {name: json.dumps(BASE | options) for name, options in VARIANTS.items()}
save_file({k: v.contiguous() for k, v in out.items()}, sys.argv[1], metadata=metadata)
