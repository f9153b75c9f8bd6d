"""Writes test/golden/torch-files/: small files as torch.save and pickle.dump write them, and their contents in expected.json and
expected.safetensors. JSON cannot say everything: {"$tensor": key in the safetensors file}, {"$map": pairs}, {"$set": items},
{"$bytes": hex}, {"$int": digits beyond 2^53}, {"$float": "nan" | "inf" | "-inf"}.

Needs torch 2.13, numpy and safetensors:
    python tools/golden/torch-files.py test/golden/torch-files [--seed 0]
"""
import argparse
import collections
import json
import math
import os
import pickle

import numpy as np
import torch
from safetensors.torch import save_file

args = argparse.ArgumentParser()
args.add_argument("folder")
args.add_argument("--seed", type=int, default=0)
args = args.parse_args()
os.makedirs(args.folder, exist_ok=True)
g = torch.Generator().manual_seed(args.seed)
rng = np.random.RandomState(args.seed)
randn = lambda *shape: torch.randn(*shape, generator=g)
tensors, expected = {}, {}


def encode(value, path):
    """A value as JSON; its tensors go into `tensors` under the path."""
    at = lambda i: f"{path}.{i}"
    if isinstance(value, (torch.Tensor, np.ndarray)):
        t = value.detach() if isinstance(value, torch.Tensor) else torch.from_numpy(value.copy())
        widened = {torch.uint16: torch.int32, torch.uint32: torch.int64}
        tensors[path] = t.to(widened.get(t.dtype, t.dtype)).contiguous().clone()
        return {"$tensor": path}
    if isinstance(value, torch.TypedStorage):
        return encode(torch.tensor(list(value), dtype=value.dtype), path)
    if isinstance(value, torch.Size):
        return list(value)
    if isinstance(value, torch.device):
        return str(value)
    if isinstance(value, torch.dtype):
        return str(value).removeprefix("torch.")
    if isinstance(value, np.generic):
        return encode(value.item(), path)
    if isinstance(value, argparse.Namespace):
        return encode(vars(value), path)
    if isinstance(value, dict):
        return {"$map": [[encode(k, at("key")), encode(v, at(k))] for k, v in value.items()]}
    if isinstance(value, (set, frozenset)):
        return {"$set": [encode(v, at(i)) for i, v in enumerate(sorted(value))]}
    if isinstance(value, (list, tuple)):
        return [encode(v, at(i)) for i, v in enumerate(value)]
    if isinstance(value, (bytes, bytearray)):
        return {"$bytes": bytes(value).hex()}
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 2**53:
        return {"$int": str(value)}
    if isinstance(value, float) and not math.isfinite(value):
        return {"$float": str(value)}
    return value


def write(name, value, same=None, **options):
    """A file by torch.save, or by pickle.dump when its name ends in .pkl; `same` names a file with the same content."""
    path = os.path.join(args.folder, name)
    if name.endswith(".pkl"):
        with open(path, "wb") as f:
            pickle.dump(value, f, **options)
    else:
        torch.save(value, path, **options)
    expected[name] = {"$same": same} if same else encode(value, name)


DTYPES = ["float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool"]
values = torch.tensor([[0, 1, 2], [100, 3, 0]])
dtypes = {n: (randn(2, 3) * 10 if n.startswith(("float", "bf")) else values).to(getattr(torch, n)) for n in DTYPES}
dtypes |= {"scalar": torch.tensor(2.5), "empty": torch.empty(0, 3), "int scalar": torch.tensor(-7), "negative": torch.tensor([-128], dtype=torch.int8)}
dtypes["special"] = torch.tensor([math.inf, -math.inf, math.nan, -0.0, 1e-45, 3.4e38])
write("dtypes.pth", dtypes)
write("dtypes-legacy.pth", dtypes, "dtypes.pth", _use_new_zipfile_serialization=False)

base = randn(4, 5)
views = {
    "base": base,
    "transposed": base.t(),
    "rows": base[1:3],
    "columns": base[:, 1::2],
    "element": base[2, 3],
    "expanded": base[0, :1].expand(3, 4),
    "permuted": randn(2, 3, 4).permute(2, 0, 1),
    "channels_last": randn(1, 3, 2, 2).to(memory_format=torch.channels_last),
    "tied": [base, base],
}
write("views.pth", views)
write("views-legacy.pth", views, "views.pth", _use_new_zipfile_serialization=False)
write("views.pkl", views, "views.pth")

model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
for parameter in model.parameters():
    parameter.data = randn(*parameter.shape)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
model(randn(5, 3)).square().sum().backward()
optimizer.step()
schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, milestones=[2, 5, 5])
state = model.state_dict()
hyper = argparse.Namespace(lr=1e-3, name="tiny", sizes=[3, 4], device=torch.device("cuda", 0), dtype=torch.bfloat16)
lightning = {
    "epoch": 3,
    "global_step": 1234,
    "pytorch-lightning_version": "1.9.0",
    "state_dict": state,
    "optimizer_states": [optimizer.state_dict()],
    "lr_schedulers": [schedule.state_dict()],
    "hyper_parameters": hyper,
    "rng": {"torch": torch.ByteTensor(g.get_state()[:64]), "numpy": rng.get_state(), "python": (3, (1, 2**31), None)},
    "best": np.float64(0.25),
}
write("lightning.ckpt", lightning)
write("lightning-legacy.ckpt", lightning, "lightning.ckpt", _use_new_zipfile_serialization=False)
write("state-dict.bin", state)
for protocol in (3, 4, 5):
    write(f"zip-protocol-{protocol}.pth", {"state_dict": state, "size": torch.Size([2, 3])}, pickle_protocol=protocol)
write("parameter.pth", {"weight": torch.nn.Parameter(randn(2, 2)), "buffer": torch.nn.Buffer(randn(2))})
marked = torch.nn.Parameter(randn(2))
marked.note = "an attribute"
plain = randn(2)
plain.note = "an attribute"
write("attributes.pth", [marked, plain])

numbers = [0, 1, -1, 255, 256, 65535, 65536, -(2**31), 2**31, 2**53 - 1, 2**53, -(2**63), 2**64, 3**200, -(3**200)]
texts = ["", "plain", "é ß ÿ", "你好 😀", "back\\slash \\u0041", "line\nfeed", "x" * 300, "__proto__"]
data = {
    "numbers": numbers,
    "floats": [0.0, 1.5, -1e-300, math.pi, math.inf, -math.inf, math.nan],
    "texts": texts,
    "bytes": [b"", b"ab\xff\x00", b"y" * 300, bytearray(b"array\xfe")],
    "tuples": [(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)],
    "sets": [set(), {1, 2, 3}, frozenset({4})],
    "constants": [None, True, False],
    "ordered": collections.OrderedDict([("b", 1), ("a", 2)]),
    "default": collections.defaultdict(list, {1: [2], "k": []}),
    "counter": collections.Counter("aab"),
    "namespace": argparse.Namespace(a=1, b=argparse.Namespace(c=None)),
    "__proto__": {"polluted": True, "constructor": {"prototype": 1}},
    "keys": {(1, 2): "tuple", None: "none", 1.5: "float", b"k": "bytes"},
    "numpy": [np.float32(1.5), np.float16(-0.1), np.int64(2**62), np.uint8(200), np.bool_(True), np.uint64(2**64 - 1)],
    "arrays": [
        rng.randn(2, 3).astype("f4"),
        np.asfortranarray(rng.randn(2, 3)),
        np.arange(4, dtype="u4") + 2**31,
        np.arange(3, dtype="u2"),
        np.array([True, False]),
        np.float64(rng.randn(1))[0:0],
        np.array(5, dtype="i2"),
        rng.randn(2, 2).astype("f2"),
    ],
    "tensor": randn(2, 2),
    "half": randn(3).half(),
}
shared = ["shared"]
data["shared"] = [shared, shared]
for protocol in range(6):
    write(f"data-{protocol}.pkl", data, "data.pth", protocol=protocol)
write("data.pth", data)
write("tensor.pkl", randn(3, 2).t())
write("storage.pth", randn(3).storage())

save_file(tensors, os.path.join(args.folder, "expected.safetensors"))
with open(os.path.join(args.folder, "expected.json"), "w") as f:
    f.write("{\n" + ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in expected.items()) + "\n}\n")
print(sum(os.path.getsize(os.path.join(args.folder, n)) for n in os.listdir(args.folder)), "bytes", len(expected), "files")
