"""Counts what diffusers' U-Net keeps for the backward pass, for src/experiment/preflight/activations.test.ts.

    python tools/python/saved_activations.py

Prints one JSON line per configuration of that test: bytes of the distinct storages that autograd saves for `square().mean()` of
the output, parameters left out. Needs torch and diffusers.
"""

import json

import torch
from diffusers import UNet2DConditionModel

SMALL = dict(
    down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
    up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
    block_out_channels=(8, 16),
    layers_per_block=1,
    norm_num_groups=4,
    cross_attention_dim=8,
    attention_head_dim=2,
)
LINEAR = dict(
    down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
    up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
    block_out_channels=(32, 64),
    layers_per_block=2,
    norm_num_groups=8,
    cross_attention_dim=32,
    attention_head_dim=4,
    use_linear_projection=True,
    transformer_layers_per_block=2,
)
SD = dict(block_out_channels=(64, 128, 256, 256), cross_attention_dim=128, attention_head_dim=8)
CASES = [
    ("small", SMALL, 4, (8, 8), 5),
    ("no middle", dict(SMALL, mid_block_type=None), 2, (8, 8), 5),
    ("plain middle", dict(SMALL, mid_block_type="UNetMidBlock2D", layers_per_block=(1, 2)), 2, (8, 8), 5),
    ("odd size", dict(SMALL, downsample_padding=1), 3, (7, 9), 5),
    ("only text", dict(SMALL, only_cross_attention=(True, False)), 3, (8, 8), 5),
    ("linear", LINEAR, 3, (16, 16), 7),
    ("like Stable Diffusion", SD, 2, (32, 32), 77),
]


def saved_bytes(config, batch, size, tokens):
    torch.manual_seed(0)
    model = UNet2DConditionModel(**config).eval()
    parameters = {p.untyped_storage().data_ptr() for p in model.parameters()}
    found = {}

    def pack(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in parameters:
            # The tensor is held, so that no address is used twice.
            found[storage.data_ptr()] = (storage.nbytes(), tensor)
        return tensor

    # diffusers computes the activation of the time embedding anew in every residual block, this project once.
    resnets = [m for m in model.modules() if type(m).__name__ == "ResnetBlock2D"]
    again = (len(resnets) - 1) * batch * 4 * config["block_out_channels"][0] * 4
    sample = torch.randn(batch, 4, *size)
    states = torch.randn(batch, tokens, config["cross_attention_dim"])
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        model(sample, torch.zeros(batch, dtype=torch.long), states).sample.square().mean()
    return sum(size for size, _ in found.values()) - again


for name, config, batch, size, tokens in CASES:
    print(json.dumps([name, saved_bytes(config, batch, size, tokens)]))
