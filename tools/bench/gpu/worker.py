"""The Python side of `npm run bench:gpu`: takes cases as lines of JSON and answers each with a line. Twin: bench/gpu/worker.ts.

PyTorch eager as it is fastest: channels_last, scaled_dot_product_attention, fused AdamW, autocast to bfloat16, cudnn.benchmark,
TF32. The networks are this folder's own (plain PyTorch, checked by check_networks.py), so that a host needs torch alone;
`--diffusers` takes those of diffusers instead.
"""
import argparse
import gc
import json
import os
import sys

sys.dont_write_bytecode = True
# Whatever a library prints must not come between the answers.
answers = os.fdopen(os.dup(1), "w", encoding="utf8")
os.dup2(2, 1)

import torch  # noqa: E402

parser = argparse.ArgumentParser()
parser.add_argument("--device", default="cpu")
parser.add_argument("--threads", type=int)
parser.add_argument("--diffusers", action="store_true")
given = parser.parse_args()
if given.diffusers:
    import from_diffusers

    from_diffusers.use()
from ceiling import copy, matmul  # noqa: E402
from inference import autoencoder, groups, sampling  # noqa: E402
from timing import reset_memory  # noqa: E402
from training import training  # noqa: E402

KINDS = {
    "matmul": matmul,
    "copy": copy,
    "training": training,
    "sampling": sampling,
    "groups": groups,
    "encode": autoencoder,
    "decode": autoencoder,
}


def say(value):
    answers.write(json.dumps(value) + "\n")
    answers.flush()


def hello():
    cuda = torch.cuda.is_available() and given.device != "cpu"
    return {
        "python": sys.version.split()[0],
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version() if cuda else None,
        "device": torch.cuda.get_device_name() if cuda else "cpu",
        "networks": from_diffusers.VERSION if given.diffusers else "tools/bench/gpu (plain PyTorch)",
    }


def out_of_memory(error):
    message = str(error).split("\n")[0]
    if given.device == "cpu":
        return {"message": message}
    free, total = torch.cuda.mem_get_info()
    return {"message": message, "freeBytes": free, "totalBytes": total}


def measure(case, variant):
    """The rows of one way to do a case, or why there are none."""
    try:
        torch.manual_seed(0)
        reset_memory(given.device)
        return [{"variant": variant, **row} for row in KINDS[case["kind"]](case, variant, given.device)]
    except torch.cuda.OutOfMemoryError as error:
        return [{"variant": variant, "outOfMemory": out_of_memory(error)}]
    except Exception as error:
        if "not enough memory" in str(error):
            return [{"variant": variant, "outOfMemory": out_of_memory(error)}]
        return [{"variant": variant, "error": f"{type(error).__name__}: {error}"}]


if given.threads:
    torch.set_num_threads(given.threads)
torch.set_flush_denormal(True)
if torch.device(given.device).index is not None:
    torch.cuda.set_device(given.device)
torch.backends.cudnn.benchmark = True
torch.backends.cudnn.allow_tf32 = True
torch.backends.cuda.matmul.allow_tf32 = True
say(hello())
for line in sys.stdin:
    case = json.loads(line)
    results = []
    for variant in case["pythonWays"]:
        results += measure(case, variant)
        # The error's traceback held the tensors until here.
        gc.collect()
    say({"results": results})
