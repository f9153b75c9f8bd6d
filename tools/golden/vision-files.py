"""Writes test/golden/vision-files/: small files in the formats in which networks of evaluation are published.

    python tools/golden/vision-files.py test/golden/vision-files

- lpips-vgg.pth: layers with the keys and the format of LPIPS' vgg.pth: torch.save before 1.6, from a GPU. Each is a wave(shape, i)
  of closed_form.py, made positive.
- torchscript.pt: a scripted module, as NVIDIA's inception-2015-12-05.pt, of which only the format matters.
"""
import os
import sys
from collections import OrderedDict

import torch
from closed_form import wave

folder = sys.argv[1]
os.makedirs(folder, exist_ok=True)
path = lambda name: os.path.join(folder, name)

torch.serialization.location_tag = lambda storage: "cuda:0"
layers = OrderedDict()
for i, channels in enumerate([64, 128, 256, 512, 512]):
    layers[f"lin{i}.model.1.weight"] = wave((1, channels, 1, 1), i).abs().float()
torch.save(layers, path("lpips-vgg.pth"), _use_new_zipfile_serialization=False)
torch.jit.script(torch.nn.Linear(2, 2)).save(path("torchscript.pt"))
