"""Clocks and memory of the device, the same way as bench/gpu/clock.ts."""
import time

import torch


def synchronize(device):
    if device != "cpu":
        torch.cuda.synchronize()


def milliseconds():
    return 1e3 * time.perf_counter()


def time_blocks(step, device, *, warmup, blocks, steps):
    """Milliseconds a call, of each of `blocks` rows of `steps` calls that only the row's end waits for."""
    for _ in range(warmup):
        step()
    times = []
    for _ in range(blocks):
        synchronize(device)
        start = milliseconds()
        for _ in range(steps):
            step()
        synchronize(device)
        times.append((milliseconds() - start) / steps)
    return times


def time_kernels(fn, device, *, warmup, calls):
    """Milliseconds of single calls, on a card by its own events."""
    if device == "cpu":
        return time_blocks(fn, device, warmup=warmup, blocks=calls, steps=1)
    for _ in range(warmup):
        fn()
    times = []
    for _ in range(calls):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        fn()
        end.record()
        end.synchronize()
        times.append(begin.elapsed_time(end))
    return times


def reset_memory(device):
    if device != "cpu":
        torch.cuda.synchronize()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def memory(device):
    """Peaks in bytes; nothing on the CPU, where a process has no such count for a case alone."""
    if device == "cpu":
        return {}
    return {
        "peakBytes": torch.cuda.max_memory_allocated(),
        "reservedBytes": torch.cuda.max_memory_reserved(),
    }
