"""What the card can do at best: a large matrix product, a large copy."""
import torch
from timing import memory, time_kernels


@torch.inference_mode()
def matmul(case, variant, device):
    size, dtype = case["size"], getattr(torch, case["precision"])
    a, b = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    times = time_kernels(lambda: torch.mm(a, b), device, warmup=case["warmup"], calls=case["calls"])
    return [{"row": "", "milliseconds": times, **memory(device)}]


@torch.inference_mode()
def copy(case, variant, device):
    source = torch.randn(case["bytes"] // 4, device=device)
    target = torch.empty_like(source)
    times = time_kernels(lambda: target.copy_(source), device, warmup=case["warmup"], calls=case["calls"])
    return [{"row": "", "milliseconds": times, **memory(device)}]
