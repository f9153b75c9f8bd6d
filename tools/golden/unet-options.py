"""Writes test/golden/unet-options.safetensors: a U-Net with every supported option away from its default, on a size that
is no multiple of the downsampling factor. Weights by a closed formula, so that none are stored.

Needs torch 2.13, safetensors, and the diffusers sources (0.40) on PYTHONPATH:
    PYTHONPATH=diffusers/src python tools/golden/unet-options.py test/golden/unet-options.safetensors
"""
import json
import sys

import torch
from closed_form import fill, wave
from diffusers import UNet2DConditionModel
from safetensors.torch import save_file

CONFIG = dict(
    sample_size=9,
    in_channels=3,
    out_channels=5,
    center_input_sample=True,
    flip_sin_to_cos=False,
    freq_shift=1,
    down_block_types=["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
    up_block_types=["CrossAttnUpBlock2D", "UpBlock2D", "CrossAttnUpBlock2D"],
    block_out_channels=[8, 16, 24],
    layers_per_block=[1, 2, 1],
    downsample_padding=0,
    mid_block_scale_factor=1.5,
    act_fn="gelu",
    norm_num_groups=4,
    norm_eps=1e-4,
    cross_attention_dim=[6, 6, 6],
    transformer_layers_per_block=[1, 2, 1],
    attention_head_dim=[2, 4, 3],
    use_linear_projection=True,
    upcast_attention=True,
)
torch.set_num_threads(1)
m = fill(UNet2DConditionModel(**CONFIG))
x = wave((2, 3, 9, 11), 1).float().requires_grad_()
c = wave((2, 4, 6), 2).float()
y = m(x, torch.tensor([3, 700]), c).sample
w = wave(y.shape, 3).float()
(y * w).sum().backward()
out = {"output": y.detach(), "grad.sample": x.grad}
out |= {f"gradnorm.{n}": p.grad.norm() for n, p in m.named_parameters()}
save_file(out, sys.argv[1], metadata={"config": json.dumps(CONFIG)})
print(len(out), y.std().item())
