"""Writes test/golden/pickled-vae: one small autoencoder as Python saved models before safetensors, whole and in shards.

    python tools/golden/pickled-vae.py test/golden/pickled-vae

Needs torch 2.13 and diffusers 0.40 (public packages). Deterministic: seed 0, CPU.
"""

import os
import sys

import torch
from diffusers import AutoencoderKL
from safetensors.torch import save_file

out = sys.argv[1]
torch.manual_seed(0)
vae = AutoencoderKL(block_out_channels=(4,), norm_num_groups=2, latent_channels=2, sample_size=8)
vae.save_pretrained(os.path.join(out, "whole"), safe_serialization=False)
vae.save_pretrained(os.path.join(out, "shards"), safe_serialization=False, max_shard_size="5KB")
save_file(vae.state_dict(), os.path.join(out, "expected.safetensors"))
