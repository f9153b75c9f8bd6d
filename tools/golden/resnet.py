"""Writes test/golden/resnet.safetensors: batch normalisation, and a ResNet-18 trained for one epoch at 32 pixels.

Needs torch 2.13, torchvision and safetensors; test/golden/tvstub.py stands in for torchvision's compiled operators:
    PYTHONPATH=test/golden python tools/golden/resnet.py test/golden/resnet.safetensors
"""
import json
import sys

import torch
import torch.nn.functional as F
import tvstub  # noqa: F401
from closed_form import fill, wave
from safetensors.torch import save_file
from torchvision.models import resnet18, resnet50

torch.set_num_threads(1)
gen = torch.Generator().manual_seed(11)
rn = lambda *s: torch.randn(s, generator=gen)
T = {}

# One layer: two batches in training mode, then one in evaluation mode; gradients of the second and the third.
norm = torch.nn.BatchNorm2d(5, eps=1e-3, momentum=0.3)
norm.weight.data, norm.bias.data = rn(5), rn(5)
norm.running_mean, norm.running_var = rn(5), rn(5).abs() + 0.5
for k, v in norm.state_dict().items():
    T[f"batch_norm.start.{k}"] = v.clone()
for i in range(3):
    norm.train(i < 2)
    norm.zero_grad()
    x, w = (2 * rn(4, 5, 3, 2) + 1).requires_grad_(), rn(4, 5, 3, 2)
    out = norm(x)
    (out * w).sum().backward()
    T.update({f"batch_norm.{i}.x": x, f"batch_norm.{i}.cotangent": w, f"batch_norm.{i}.out": out, f"batch_norm.{i}.grad.x": x.grad})
    T.update({f"batch_norm.{i}.grad.weight": norm.weight.grad, f"batch_norm.{i}.grad.bias": norm.bias.grad})
    for k, v in norm.state_dict().items():
        if "running" in k or "num" in k:
            T[f"batch_norm.{i}.{k}"] = v.clone()

# Values and gradients of both networks in evaluation mode.
for name, make in {"resnet18": resnet18, "resnet50": resnet50}.items():
    model = fill(make(num_classes=3))
    x = wave((2, 3, 40, 33), 0.5).float().requires_grad_()
    out = model(x)
    (out * wave((2, 3), 0.25).float()).sum().backward()
    T[f"{name}.logits"], T[f"{name}.grad.x"] = out, x.grad
    T[f"{name}.grad.conv1"], T[f"{name}.grad.fc"] = model.conv1.weight.grad, model.fc.weight.grad

# One epoch: 30 images in batches of 8 (the last has 6), Adam and cross entropy as the reference, weighted and not.
images = wave((30, 3, 32, 32), 0.1).float() * (1 + torch.arange(30).view(-1, 1, 1, 1) % 3)
labels = torch.arange(30) % 3
for name, weight in {"plain": None, "weighted": torch.tensor([0.5, 1.0, 2.5])}.items():
    model = fill(resnet18(num_classes=3)).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
    losses, norms = [], []
    for rows in torch.arange(30).split(8):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(images[rows]), labels[rows], weight)
        loss.backward()
        norms.append(torch.stack([p.grad.norm() for p in model.parameters()]).norm())
        optimizer.step()
        losses.append(loss.detach())
    T[f"{name}.losses"], T[f"{name}.norms"] = torch.stack(losses), torch.stack(norms)
    for k, v in model.state_dict().items():
        if "running" in k:
            T[f"{name}.{k}"] = v.clone()
    with torch.no_grad():
        T[f"{name}.logits"] = model.eval()(images)

# The reference's preprocessing of pictures that are no squares, one shrunk and one enlarged in part.
from PIL import Image
from torchvision import transforms

squash = transforms.Compose([transforms.Resize((32, 32)), transforms.ToTensor(), transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])])
for name, (height, width) in {"tall": (71, 45), "flat": (20, 53)}.items():
    picture = torch.randint(0, 256, (height, width, 3), generator=gen, dtype=torch.uint8)
    T[f"squash.{name}.picture"], T[f"squash.{name}.out"] = picture, squash(Image.fromarray(picture.numpy()))

# Where torchvision's initialisation draws from: standard deviation of every convolution and of the last layer.
torch.manual_seed(0)
init = {n: {k: float(v.std()) for k, v in m(num_classes=3).state_dict().items() if v.ndim > 1} for n, m in {"resnet18": resnet18, "resnet50": resnet50}.items()}
shapes = {n: {k: [str(v.dtype).split(".")[1], *v.shape] for k, v in m(num_classes=3).state_dict().items()} for n, m in {"resnet18": resnet18, "resnet50": resnet50}.items()}
save_file({k: v.detach().contiguous().clone() for k, v in T.items()}, sys.argv[1], {"init_std": json.dumps(init), "shapes": json.dumps(shapes)})
print(len(T), "tensors")
