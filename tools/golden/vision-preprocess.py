"""Writes test/golden/vision-preprocess.safetensors: pictures as the networks of evaluation get them in Python.

Needs torch 2.13, torchvision, torchmetrics, Pillow and safetensors; test/golden/tvstub.py stands in for torchvision's
compiled operators:
    PYTHONPATH=test/golden python tools/golden/vision-preprocess.py test/golden/vision-preprocess.safetensors

Every 61st value of each result is kept. Pictures: wave(3, H, W) of closed_form.py in levels from 0 to 255.
"""
import json
import sys

import numpy as np
import torch
import tvstub  # noqa: F401
from closed_form import wave
from PIL import Image
from safetensors.torch import save_file
from torchmetrics.functional.image.lpips import ScalingLayer
from torchvision import transforms as tr

KEEP = 61
PICTURES = {"small": (40, 52, 5), "tall": (420, 300, 6), "wide": (211, 517, 7), "is255": (255, 255, 8), "is299": (299, 299, 9)}


def picture(height, width, phase):
    levels = (wave((3, height, width), phase).double() + 1) * 127.5
    return levels.round().to(torch.uint8)


def pillow(image):
    return Image.fromarray(image.permute(1, 2, 0).numpy())


def clean(image):
    "clean-fid, mode clean: each channel a float picture of Pillow, bicubic; then the network's own range."
    channels = [
        np.asarray(Image.fromarray(c.numpy().astype(np.float32), mode="F").resize((299, 299), Image.BICUBIC))
        for c in image
    ]
    return (torch.from_numpy(np.stack(channels)) - 128) / 128


def tensorflow1(levels, size):
    "resize_bilinear of TensorFlow 1 without aligned corners, pixel by pixel as its kernel: rows of neighbours first."
    channels, height, width = levels.shape
    out = np.zeros((channels, size, size), dtype=np.float32)
    scale_y, scale_x = np.float32(height / size), np.float32(width / size)
    for y in range(size):
        at_y = np.float32(y) * scale_y
        top = int(at_y)
        bottom, share_y = min(top + 1, height - 1), at_y - np.float32(top)
        for x in range(size):
            at_x = np.float32(x) * scale_x
            left = int(at_x)
            right, share_x = min(left + 1, width - 1), at_x - np.float32(left)
            upper = levels[:, top, left] + (levels[:, top, right] - levels[:, top, left]) * share_x
            lower = levels[:, bottom, left] + (levels[:, bottom, right] - levels[:, bottom, left]) * share_x
            out[:, y, x] = upper + (lower - upper) * share_y
    return out


def reference_inception(image):
    "The reference's get_real_images_from_filelist, then FrechetInceptionDistance(normalize=True) before it antialiased."
    given = tr.ToTensor()(tr.Resize((255, 255))(pillow(image)))
    levels = (given * 255).byte().float().numpy()
    return (torch.from_numpy(tensorflow1(levels, 299)) - 128) / 128


def imagenet(image):
    "improved_prd.get_custom_loader of the reference."
    steps = [tr.Resize([224, 224]), tr.ToTensor(), tr.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])]
    return tr.Compose(steps)(pillow(image))


def reference_vgg(image):
    "The reference's get_real_images_from_filelist, then improved_prd.extract_features."
    given = tr.ToTensor()(tr.Resize((255, 255))(pillow(image)))
    return torch.nn.functional.interpolate(given[None], size=(224, 224))[0]


def lpips(image):
    "lpips.im2tensor, then the scaling layer in front of the network."
    given = torch.Tensor(image.permute(1, 2, 0).numpy()[:, :, :, np.newaxis].transpose((3, 2, 0, 1)) / (255 / 2.0) - 1)
    return ScalingLayer()(given)[0]


torch.set_num_threads(1)
T = {}
for name, sizes in PICTURES.items():
    image = picture(*sizes)
    for make in (clean, reference_inception, imagenet, reference_vgg, lpips):
        T[f"{make.__name__}.{name}"] = make(image).float().flatten()[::KEEP].clone()
save_file(T, sys.argv[1], metadata={"pictures": json.dumps(PICTURES), "keep": json.dumps(KEEP)})
