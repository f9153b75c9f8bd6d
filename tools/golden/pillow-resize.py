"""Writes test/golden/pillow-resize.safetensors: pictures resized, cropped, mirrored and normalised by torchvision on PIL images, and
encoded pictures as PIL decodes them.

Needs pillow 12.3, torchvision 0.28, torch 2.13, numpy and safetensors:
    python tools/golden/pillow-resize.py test/golden/pillow-resize.safetensors [--seed 0]
"""
import argparse
import io
import json

import numpy as np
import torch
from PIL import Image, ImageOps
from safetensors.torch import save_file
from torchvision import transforms as T
from torchvision.transforms.functional import hflip

args = argparse.ArgumentParser()
args.add_argument("file")
args.add_argument("--seed", type=int, default=0)
args = args.parse_args()
rng = np.random.RandomState(args.seed)
FILTERS = {"bilinear": T.InterpolationMode.BILINEAR, "bicubic": T.InterpolationMode.BICUBIC}
tensors = {}

# Height, width of pictures, and what is made of them: larger and smaller, hardly and strongly, one pixel high or wide.
FITS = {
    (48, 64): [{"size": 51}, {"size": 48}, {"size": 17}, {"size": 40, "crop": 33}, {"squash": [30, 30]}, {"squash": [48, 20]}],
    (61, 37): [{"size": 37}, {"size": 36}, {"size": 38, "crop": [20, 31]}, {"size": 5}, {"squash": [7, 90]}, {"squash": [90, 7]}],
    (1, 1): [{"size": 3}, {"squash": [1, 5]}],
    (1, 300): [{"size": 1}, {"squash": [9, 2]}, {"squash": [1, 299]}],
    (300, 1): [{"size": 2}, {"squash": [2, 9]}, {"squash": [301, 1]}],
    (2, 3): [{"size": 16}, {"squash": [1, 1]}, {"squash": [3, 2]}],
    (190, 250): [{"size": 16}, {"size": 10, "crop": 7}, {"squash": [3, 19]}],
    (40, 41): [{"size": 40}, {"size": 20}, {"squash": [40, 41]}, {"squash": [80, 82]}, {"squash": [20, 41]}],
}


def transform(fit, interpolation):
    if "squash" in fit:
        return T.Resize(fit["squash"], interpolation)
    return T.Compose([T.Resize(fit["size"], interpolation), T.CenterCrop(fit.get("crop", fit["size"]))])


def planes(image):
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous()


cases = []
for (height, width), fits in FITS.items():
    # Noise of few colours: overshoot of the bicubic filter is cut off at 0 and at 255.
    pixels = rng.choice([0, 1, 60, 128, 200, 254, 255], size=(height, width, 3)).astype(np.uint8)
    picture = f"{height}x{width}"
    tensors[picture] = torch.from_numpy(pixels)
    for fit in fits:
        for name, interpolation in FILTERS.items():
            key = f"{picture} {json.dumps(fit)} {name}"
            resized = transform(fit, interpolation)(Image.fromarray(pixels))
            tensors[key] = planes(resized)
            cases.append({"picture": picture, "fit": {**fit, "filter": name}, "expected": key})
tensors["mirrored"] = planes(hflip(transform({"size": 17}, FILTERS["bilinear"])(Image.fromarray(tensors["48x64"].numpy()))))

# Values of a network's input.
normalised = []
for mean, std in [([0.5] * 3, [0.5] * 3), ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]), ([0.0, 0.1, -1.0], [1.0, 3.0, 0.01])]:
    every = torch.arange(256, dtype=torch.uint8).view(16, 16, 1).expand(16, 16, 3).numpy()
    key = f"normalised {len(normalised)}"
    tensors[key] = T.Compose([T.ToTensor(), T.Normalize(mean, std)])(Image.fromarray(every))
    normalised.append({"mean": mean, "std": std, "expected": key})

# Encoded pictures.
smooth = Image.fromarray(rng.randint(0, 256, (5, 6, 3), dtype=np.uint8)).resize((53, 39), Image.BICUBIC)
turned = Image.Exif()
turned[0x0112] = 6
ENCODED = {
    "420.jpg": (smooth, dict(quality=80)),
    "422.jpg": (smooth, dict(quality=90, subsampling=1)),
    "444.jpg": (smooth, dict(quality=95, subsampling=0)),
    "progressive.jpg": (smooth, dict(quality=60, progressive=True)),
    "grey.jpg": (smooth.convert("L"), dict(quality=85)),
    "turned.jpg": (smooth, dict(quality=85, exif=turned)),
    "rgb.png": (smooth, {}),
    "grey.png": (smooth.convert("L"), {}),
    "palette.png": (smooth.quantize(40), {}),
    "alpha.png": (Image.merge("RGBA", [*smooth.split(), smooth.convert("L")]), {}),
    "lossless.webp": (smooth, dict(lossless=True)),
}
for name, (image, options) in ENCODED.items():
    file = io.BytesIO()
    image.save(file, {"jpg": "JPEG", "png": "PNG", "webp": "WEBP"}[name.split(".")[1]], **options)
    tensors[f"file {name}"] = torch.frombuffer(bytearray(file.getvalue()), dtype=torch.uint8)
    decoded = ImageOps.exif_transpose(Image.open(file)).convert("RGB")
    tensors[f"decoded {name}"] = torch.from_numpy(np.array(decoded))

metadata = {"cases": cases, "normalised": normalised, "encoded": list(ENCODED)}
print(len(cases), "cases", sum(t.nbytes for t in tensors.values()), "bytes")
save_file(tensors, args.file, metadata={key: json.dumps(value) for key, value in metadata.items()})
