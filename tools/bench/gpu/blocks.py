"""What the twin's U-Net and autoencoder share, in plain PyTorch. Parameter names are those of the published files."""
import torch.nn.functional as F
from torch import nn


def conv(inputs, outputs, size=3, **options):
    return nn.Conv2d(inputs, outputs, size, padding=size // 2, **options)


class Residual(nn.Module):
    """Two normalised convolutions around the time embedding, and a shortcut."""

    def __init__(self, inputs, outputs, *, groups, eps, time=None):
        super().__init__()
        self.norm1 = nn.GroupNorm(groups, inputs, eps=eps)
        self.conv1 = conv(inputs, outputs)
        if time is not None:
            self.time_emb_proj = nn.Linear(time, outputs)
        self.norm2 = nn.GroupNorm(groups, outputs, eps=eps)
        self.conv2 = conv(outputs, outputs)
        self.conv_shortcut = None if inputs == outputs else conv(inputs, outputs, 1)

    def forward(self, x, time=None):
        """x [B, C, H, W]; time [B, T] is the embedding after its activation."""
        h = self.conv1(F.silu(self.norm1(x)))
        if time is not None:
            h = h + self.time_emb_proj(time)[:, :, None, None]
        h = self.conv2(F.silu(self.norm2(h)))
        return h + (x if self.conv_shortcut is None else self.conv_shortcut(x))


class Down(nn.Module):
    """Half the size by a strided convolution; `asymmetric` pads right and below only."""

    def __init__(self, channels, *, asymmetric=False):
        super().__init__()
        self.asymmetric = asymmetric
        self.conv = nn.Conv2d(channels, channels, 3, stride=2, padding=0 if asymmetric else 1)

    def forward(self, x):
        return self.conv(F.pad(x, (0, 1, 0, 1)) if self.asymmetric else x)


class Up(nn.Module):
    """Twice the size by repetition, then a convolution."""

    def __init__(self, channels):
        super().__init__()
        self.conv = conv(channels, channels)

    def forward(self, x):
        return self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))


def attend(q, k, v, heads):
    """Attention of q [B, N, C] over k and v [B, M, C] in `heads` heads, by the fused kernels."""
    q, k, v = (x.unflatten(-1, (heads, -1)).transpose(1, 2) for x in (q, k, v))
    return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)


def per_level(value, levels):
    """An option that is one value for all levels, or a list of them."""
    return list(value) if isinstance(value, (list, tuple)) else [value] * levels
