import { describe, expect, it } from "vitest";

import { empty, isOutOfMemory, OutOfMemoryError, scope, TorchError } from "./index.ts";

const GiB = 2 ** 30;
const MiB = 2 ** 20;

// libtorch's own words, as its versions print them.
const CUDA_WORDS = [
  {
    since: "2.4",
    message:
      "conv2d(input=float32[64, 320, 64, 64]@cuda:0): CUDA out of memory. Tried to allocate 1.25 GiB. GPU 0 has a total " +
      "capacity of 79.15 GiB of which 512.00 MiB is free. Process 4242 has 78.60 GiB memory in use. Of the allocated " +
      "memory 70.00 GiB is allocated by PyTorch, and 7.50 GiB is reserved by PyTorch but unallocated. If reserved but " +
      "unallocated memory is large try setting PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True to avoid fragmentation.",
    expected: { device: "cuda:0", requested: 1.25 * GiB, free: 512 * MiB, total: Math.round(79.15 * GiB) },
  },
  {
    since: "2.4 with a limit of the process's share, graphs' pools",
    message:
      "CUDA out of memory. Tried to allocate 20.00 KiB. GPU 3 has a total capacity of 139.80 GiB of which 0 bytes is " +
      "free. Including non-PyTorch memory, this process has 139.00 GiB memory in use. 100.00 GiB allowed; Of the allocated " +
      "memory 90.00 GiB is allocated by PyTorch, with 2.00 GiB allocated in private pools (e.g., CUDA Graphs), and 1.00 " +
      "GiB is reserved by PyTorch but unallocated.",
    expected: { device: "cuda:3", requested: 20 * 1024, free: 0, total: Math.round(139.8 * GiB) },
  },
  {
    since: "2.0",
    message:
      "CUDA out of memory. Tried to allocate 376.00 MiB (GPU 1; 3.95 GiB total capacity; 1.72 GiB already allocated; " +
      "354.88 MiB free; 2.46 GiB reserved in total by PyTorch)",
    expected: {
      ...{ device: "cuda:1", requested: 376 * MiB },
      ...{ free: Math.round(354.88 * MiB), total: Math.round(3.95 * GiB) },
    },
  },
  {
    since: "2.14",
    message:
      "CUDA out of memory. Allocation was preemptively rejected because it would exceed per_process_memory_fraction " +
      "limit. Requested size: 2.00 GiB",
    expected: { device: "cuda:0", requested: 2 * GiB, free: undefined, total: undefined },
  },
  {
    since: "any, outside the allocator",
    message:
      "CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported at some other API call",
    expected: { device: "cuda:0", requested: undefined, free: undefined, total: undefined },
  },
  {
    since: "any, cuBLAS making its handle",
    message: "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
    expected: { device: "cuda:0", requested: undefined, free: undefined, total: undefined },
  },
];

describe("OutOfMemoryError", () => {
  it.each(CUDA_WORDS)("reads CUDA's words since $since", ({ message, expected }) => {
    expect(isOutOfMemory(message)).toBe(true);
    const error = new OutOfMemoryError(message);
    const { device, requestedBytes, freeBytes, totalBytes } = error;
    expect({ device, requested: requestedBytes, free: freeBytes, total: totalBytes }).toEqual(expected);
    expect(error.message).toBe(message);
  });

  it("is what the processor's allocator throws, with the operator's name and the bytes: the user can lower them", () =>
    scope(() => {
      const asking = () => empty([1e15], { dtype: "float32" });
      expect(asking).toThrow(OutOfMemoryError);
      expect(asking).toThrow(TorchError);
      expect(asking).toThrow(/^empty\(size=\[1000000000000000\]/);
      try {
        asking();
      } catch (error) {
        expect(error).toMatchObject({ kind: "user", device: "cpu", requestedBytes: 4e15 });
        expect(error).toMatchObject({ freeBytes: undefined, totalBytes: undefined });
      }
    }));

  it("is not made of other failures", () => {
    expect(isOutOfMemory("matmul(): mat1 and mat2 shapes cannot be multiplied")).toBe(false);
    expect(isOutOfMemory("CUDA error: device-side assert triggered")).toBe(false);
  });
});
