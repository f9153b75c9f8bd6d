"""Stable Diffusion's autoencoder in plain PyTorch; loads the published weights. Checked by check_networks.py."""
import torch.nn.functional as F
from blocks import Down, Residual, Up, attend, conv
from torch import nn


class PixelAttention(nn.Module):
    def __init__(self, channels, groups):
        super().__init__()
        self.group_norm = nn.GroupNorm(groups, channels, eps=1e-6)
        self.to_q = nn.Linear(channels, channels)
        self.to_k = nn.Linear(channels, channels)
        self.to_v = nn.Linear(channels, channels)
        self.to_out = nn.ModuleList([nn.Linear(channels, channels)])

    def forward(self, x):
        height = x.shape[2]
        tokens = self.group_norm(x).permute(0, 2, 3, 1).flatten(1, 2)
        h = self.to_out[0](attend(self.to_q(tokens), self.to_k(tokens), self.to_v(tokens), 1))
        return x + h.unflatten(1, (height, -1)).permute(0, 3, 1, 2)


class Middle(nn.Module):
    def __init__(self, channels, options):
        super().__init__()
        self.resnets = nn.ModuleList(Residual(channels, channels, **options) for _ in range(2))
        self.attentions = nn.ModuleList([PixelAttention(channels, options["groups"])])

    def forward(self, x):
        return self.resnets[1](self.attentions[0](self.resnets[0](x)))


class Level(nn.Module):
    def __init__(self, inputs, outputs, layers, options, resize=None):
        super().__init__()
        widths = [inputs] + [outputs] * (layers - 1)
        self.resnets = nn.ModuleList(Residual(width, outputs, **options) for width in widths)
        if resize == "down":
            self.downsamplers = nn.ModuleList([Down(outputs, asymmetric=True)])
        if resize == "up":
            self.upsamplers = nn.ModuleList([Up(outputs)])

    def forward(self, x):
        for residual in self.resnets:
            x = residual(x)
        for resize in [*getattr(self, "downsamplers", []), *getattr(self, "upsamplers", [])]:
            x = resize(x)
        return x


class Ends(nn.Module):
    """What encoder and decoder have in common: the first and last convolutions and the middle."""

    def __init__(self, inputs, first, last, outputs, middle, options):
        super().__init__()
        self.conv_in = conv(inputs, first)
        self.mid_block = Middle(middle, options)
        self.conv_norm_out = nn.GroupNorm(options["groups"], last, eps=1e-6)
        self.conv_out = conv(last, outputs)

    def finish(self, x):
        return self.conv_out(F.silu(self.conv_norm_out(x)))


class Encoder(Ends):
    def __init__(self, config, channels, options):
        moments = 2 * config["latent_channels"]
        super().__init__(config["in_channels"], channels[0], channels[-1], moments, channels[-1], options)
        inputs = [channels[0], *channels[:-1]]
        self.down_blocks = nn.ModuleList(
            Level(a, b, config["layers_per_block"], options, "down" if i < len(channels) - 1 else None)
            for i, (a, b) in enumerate(zip(inputs, channels))
        )

    def forward(self, x):
        x = self.conv_in(x)
        for block in self.down_blocks:
            x = block(x)
        return self.finish(self.mid_block(x))


class Decoder(Ends):
    def __init__(self, config, channels, options):
        rising = channels[::-1]
        super().__init__(config["latent_channels"], rising[0], rising[-1], config["out_channels"], rising[0], options)
        inputs = [rising[0], *rising[:-1]]
        self.up_blocks = nn.ModuleList(
            Level(a, b, config["layers_per_block"] + 1, options, "up" if i < len(rising) - 1 else None)
            for i, (a, b) in enumerate(zip(inputs, rising))
        )

    def forward(self, z):
        x = self.mid_block(self.conv_in(z))
        for block in self.up_blocks:
            x = block(x)
        return self.finish(x)


class Autoencoder(nn.Module):
    """Made from a published config.json."""

    def __init__(self, config):
        super().__init__()
        channels = config["block_out_channels"]
        options = dict(groups=config.get("norm_num_groups", 32), eps=1e-6)
        latent = config["latent_channels"]
        self.encoder = Encoder(config, channels, options)
        self.decoder = Decoder(config, channels, options)
        self.quant_conv = conv(2 * latent, 2 * latent, 1)
        self.post_quant_conv = conv(latent, latent, 1)

    def encode(self, images):
        """Images [B, 3, H, W] in [-1, 1] -> mean and log-variance, each [B, latent channels, h, w]."""
        mean, logvar = self.quant_conv(self.encoder(images)).chunk(2, dim=1)
        return mean, logvar.clamp(-30, 20)

    def decode(self, latents):
        """Unscaled latents -> images [B, 3, H, W]."""
        return self.decoder(self.post_quant_conv(latents))
