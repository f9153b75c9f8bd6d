"""Stable Diffusion's conditional U-Net in plain PyTorch, as somebody would write it for speed: fused attention, no options
that the published 1.x and 2.x models leave unused. Loads their weights; checked by check_networks.py.
"""
import math

import torch
import torch.nn.functional as F
from blocks import Down, Residual, Up, attend, conv, per_level
from torch import nn


class Attention(nn.Module):
    def __init__(self, channels, heads, context):
        super().__init__()
        self.heads = heads
        self.to_q = nn.Linear(channels, channels, bias=False)
        self.to_k = nn.Linear(context, channels, bias=False)
        self.to_v = nn.Linear(context, channels, bias=False)
        self.to_out = nn.ModuleList([nn.Linear(channels, channels)])

    def forward(self, x, context):
        return self.to_out[0](attend(self.to_q(x), self.to_k(context), self.to_v(context), self.heads))


class GatedGelu(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.proj = nn.Linear(channels, 8 * channels)

    def forward(self, x):
        value, gate = self.proj(x).chunk(2, dim=-1)
        return value * F.gelu(gate)


class FeedForward(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.net = nn.ModuleList([GatedGelu(channels), nn.Identity(), nn.Linear(4 * channels, channels)])

    def forward(self, x):
        return self.net[2](self.net[0](x))


class TransformerBlock(nn.Module):
    def __init__(self, channels, heads, context):
        super().__init__()
        self.norm1 = nn.LayerNorm(channels)
        self.attn1 = Attention(channels, heads, channels)
        self.norm2 = nn.LayerNorm(channels)
        self.attn2 = Attention(channels, heads, context)
        self.norm3 = nn.LayerNorm(channels)
        self.ff = FeedForward(channels)

    def forward(self, x, context):
        h = self.norm1(x)
        x = x + self.attn1(h, h)
        x = x + self.attn2(self.norm2(x), context)
        return x + self.ff(self.norm3(x))


class Transformer(nn.Module):
    """Attention over the pixels of a map, between two projections that are 1x1 convolutions or linear layers."""

    def __init__(self, channels, *, heads, context, layers, groups, linear):
        super().__init__()
        projection = nn.Linear if linear else lambda a, b: conv(a, b, 1)
        self.linear = linear
        self.norm = nn.GroupNorm(groups, channels, eps=1e-6)
        self.proj_in = projection(channels, channels)
        self.transformer_blocks = nn.ModuleList(TransformerBlock(channels, heads, context) for _ in range(layers))
        self.proj_out = projection(channels, channels)

    def forward(self, x, context):
        height = x.shape[2]
        to_tokens = lambda h: h.permute(0, 2, 3, 1).flatten(1, 2)
        to_map = lambda h: h.unflatten(1, (height, -1)).permute(0, 3, 1, 2)
        h = self.norm(x)
        h = self.proj_in(to_tokens(h)) if self.linear else to_tokens(self.proj_in(h))
        for block in self.transformer_blocks:
            h = block(h, context)
        return x + (to_map(self.proj_out(h)) if self.linear else self.proj_out(to_map(h)))


class Level(nn.Module):
    """A down or up block: residual blocks, each followed by a transformer where `attention` says how it is made."""

    def __init__(self, widths, outputs, *, attention, **options):
        super().__init__()
        self.resnets = nn.ModuleList(Residual(width, outputs, **options) for width in widths)
        if attention is not None:
            self.attentions = nn.ModuleList(Transformer(outputs, **attention) for _ in widths)

    def steps(self):
        return zip(self.resnets, getattr(self, "attentions", [None] * len(self.resnets)))


class DownLevel(Level):
    def __init__(self, *args, last, **options):
        super().__init__(*args, **options)
        if not last:
            self.downsamplers = nn.ModuleList([Down(args[1])])

    def forward(self, x, time, context):
        states = []
        for residual, transformer in self.steps():
            x = residual(x, time)
            if transformer is not None:
                x = transformer(x, context)
            states.append(x)
        if hasattr(self, "downsamplers"):
            x = self.downsamplers[0](x)
            states.append(x)
        return x, states


class UpLevel(Level):
    def __init__(self, *args, last, **options):
        super().__init__(*args, **options)
        if not last:
            self.upsamplers = nn.ModuleList([Up(args[1])])

    def forward(self, x, states, time, context):
        for residual, transformer in self.steps():
            x = residual(torch.cat([x, states.pop()], dim=1), time)
            if transformer is not None:
                x = transformer(x, context)
        return self.upsamplers[0](x) if hasattr(self, "upsamplers") else x


class Middle(nn.Module):
    def __init__(self, channels, *, attention, **options):
        super().__init__()
        self.resnets = nn.ModuleList(Residual(channels, channels, **options) for _ in range(2))
        self.attentions = nn.ModuleList([Transformer(channels, **attention)])

    def forward(self, x, time, context):
        return self.resnets[1](self.attentions[0](self.resnets[0](x, time), context), time)


class TimeEmbedding(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.linear_1 = nn.Linear(inputs, outputs)
        self.linear_2 = nn.Linear(outputs, outputs)

    def forward(self, x):
        return self.linear_2(F.silu(self.linear_1(x)))


class UNet(nn.Module):
    """Made from (the relevant part of) a published config.json."""

    def __init__(self, config):
        super().__init__()
        channels = config["block_out_channels"]
        levels, first, last = len(channels), channels[0], channels[-1]
        groups, eps = config.get("norm_num_groups", 32), config.get("norm_eps", 1e-5)
        repeats = per_level(config.get("layers_per_block", 2), levels)
        heads = per_level(config.get("attention_head_dim", 8), levels)
        contexts = per_level(config["cross_attention_dim"], levels)
        depths = per_level(config.get("transformer_layers_per_block", 1), levels)
        options = dict(groups=groups, eps=eps, time=4 * first)

        def attention(level, kind=None):
            if kind is not None and not kind.startswith("CrossAttn"):
                return None
            how = dict(heads=heads[level], context=contexts[level], layers=depths[level])
            return dict(how, groups=groups, linear=config.get("use_linear_projection", False))

        self.first, self.cosine_first = first, config.get("flip_sin_to_cos", True)
        self.shift = config.get("freq_shift", 0)
        self.conv_in = conv(config.get("in_channels", 4), first)
        self.time_embedding = TimeEmbedding(first, 4 * first)
        self.down_blocks = nn.ModuleList()
        skips = [first]
        for level, kind in enumerate(config["down_block_types"]):
            outputs = channels[level]
            widths = [skips[-1]] + [outputs] * (repeats[level] - 1)
            is_last = level == levels - 1
            self.down_blocks.append(
                DownLevel(widths, outputs, attention=attention(level, kind), last=is_last, **options)
            )
            skips += [outputs] * (repeats[level] + (not is_last))
        self.mid_block = Middle(last, attention=attention(levels - 1), **options)
        self.up_blocks = nn.ModuleList()
        width = last
        for step, kind in enumerate(config["up_block_types"]):
            level = levels - 1 - step
            widths = []
            for _ in range(repeats[level] + 1):
                widths.append(width + skips.pop())
                width = channels[level]
            how = dict(attention=attention(level, kind), last=level == 0)
            self.up_blocks.append(UpLevel(widths, channels[level], **how, **options))
        self.conv_norm_out = nn.GroupNorm(groups, first, eps=eps)
        self.conv_out = conv(first, config.get("out_channels", 4))

    def sinusoids(self, timesteps):
        half = self.first // 2
        exponents = torch.arange(half, dtype=torch.float32, device=timesteps.device) / (half - self.shift)
        angles = timesteps.float()[:, None] * torch.exp(-math.log(10000) * exponents)
        parts = [angles.cos(), angles.sin()]
        return torch.cat(parts if self.cosine_first else parts[::-1], dim=-1)

    def forward(self, x, timesteps, context):
        """x [B, C, H, W], timesteps [B], context [B, L, D] -> [B, C, H, W]."""
        time = F.silu(self.time_embedding(self.sinusoids(timesteps).to(x.dtype)))
        x = self.conv_in(x)
        states = [x]
        for block in self.down_blocks:
            x, own = block(x, time, context)
            states += own
        x = self.mid_block(x, time, context)
        for block in self.up_blocks:
            x = block(x, states, time, context)
        return self.conv_out(F.silu(self.conv_norm_out(x)))
