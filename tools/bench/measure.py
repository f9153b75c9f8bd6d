"""Timing for the Python side of the benchmarks, the same way as bench/measure.ts."""
import json
import os
import time

import torch

THREADS = int(os.environ.get("BENCH_THREADS", "1"))
CALLS = int(os.environ.get("BENCH_CALLS", "20"))
now = time.process_time if os.environ.get("BENCH_CLOCK") == "cpu" else time.perf_counter


def prepare():
    torch.set_num_threads(THREADS)
    torch.set_flush_denormal(True)


def time_calls(fn, warmup, calls):
    """Times of single calls in milliseconds, after a warm-up."""
    for _ in range(warmup):
        fn()
    times = []
    for _ in range(calls):
        start = now()
        fn()
        times.append(1e3 * (now() - start))
    return times


def print_result(unit, values, digests=None):
    result = {"unit": unit, "values": values, "libtorch": torch.__version__.split("+")[0], "digests": digests}
    print(json.dumps(result))
