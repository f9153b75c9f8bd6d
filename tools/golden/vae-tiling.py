"""Writes test/golden/vae-tiling.safetensors: a VAE's tiled encode and decode, tiles on both sides cut at the border.

Needs torch 2.13, safetensors, and the diffusers sources (0.40) on PYTHONPATH:
    PYTHONPATH=diffusers/src python tools/golden/vae-tiling.py test/golden/vae-tiling.safetensors
"""
import json
import sys

import torch
from closed_form import fill, wave
from diffusers import AutoencoderKL
from safetensors.torch import save_file

CONFIG = dict(
    down_block_types=["DownEncoderBlock2D"] * 3,
    up_block_types=["UpDecoderBlock2D"] * 3,
    block_out_channels=[4, 8, 8],
    layers_per_block=1,
    latent_channels=2,
    norm_num_groups=2,
    sample_size=32,
)
torch.set_num_threads(1)
vae = fill(AutoencoderKL(**CONFIG))
vae.enable_tiling()
vae.enable_slicing()
images = wave((2, 3, 44, 72), 1).float()
latents = wave((2, 2, 11, 18), 2).float()
with torch.no_grad():
    moments = vae.encode(images).latent_dist
    out = {"mean": moments.mean, "logvar": moments.logvar, "decoded": vae.decode(latents).sample}
    vae.disable_tiling()
    out["whole"] = vae.decode(latents).sample
print({k: (list(v.shape), v.std().item()) for k, v in out.items()}, (out["whole"] - out["decoded"]).abs().max().item())
save_file({k: v.contiguous() for k, v in out.items()}, sys.argv[1], metadata={"config": json.dumps(CONFIG)})
