"""What one call of a small operator costs in Python. Twin of bench/dispatch.ts; needs torch only."""
import torch
from measure import prepare, print_result, time_calls

CALLS, BATCHES = 2000, 40

prepare()
a, b, square = torch.ones(3), torch.ones(3), torch.ones(4, 4)

cases = {
    "add(3, 3)": lambda: a.add(b),
    "add(3, number)": lambda: a.add(1.5),
    "view": lambda: a.view(3, 1),
    "matmul(4x4)": lambda: square.matmul(square),
    "mul_(3, number)": lambda: a.mul_(1.0),
    "sum": lambda: a.sum(),
}


def loop(fn):
    for _ in range(CALLS):
        fn()


# The fastest batch: at this scale other processes only add.
values = {
    name: min(time_calls(lambda fn=fn: loop(fn), warmup=5, calls=BATCHES)) * 1e6 / CALLS for name, fn in cases.items()
}
print_result("ns/call", values)
