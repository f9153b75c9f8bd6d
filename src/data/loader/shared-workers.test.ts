import { afterEach, describe, expect, it, vi } from "vitest";
import { leaseWorkers } from "./shared-workers.ts";

afterEach(() => vi.useRealTimers());

/** Ends once the threads have. */
const ended = (workers: { readonly healthy: boolean }): Promise<void> =>
  vi.waitFor(() => expect(workers.healthy).toBe(false), { timeout: 20_000 });

describe("leaseWorkers", () => {
  it("gives none for a small job, unless they were asked for", () => {
    using small = leaseWorkers({ values: 1000 });
    using none = leaseWorkers({ workers: 0, values: 1e9 });
    expect([small.workers, none.workers]).toEqual([undefined, undefined]);
  });

  it("gives the same threads to all, as long as somebody uses them and a while longer", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const first = leaseWorkers({ values: 1e9 });
    // Now that there are some, a small job takes them too.
    const second = leaseWorkers({ values: 1000 });
    expect(second.workers).toBe(first.workers);
    using other = leaseWorkers({ workers: first.workers!.count + 1, values: 1 });
    expect(other.workers).not.toBe(first.workers);
    first[Symbol.dispose]();
    vi.advanceTimersByTime(60_000);
    second[Symbol.dispose]();
    vi.advanceTimersByTime(4_000);
    const third = leaseWorkers({ values: 1000 });
    expect(third.workers).toBe(first.workers);
    vi.advanceTimersByTime(60_000);
    third[Symbol.dispose]();
    vi.advanceTimersByTime(5_000);
    vi.useRealTimers();
    await ended(first.workers!);
    expect(other.workers!.healthy).toBe(true);
    using fourth = leaseWorkers({ values: 1000 });
    expect(fourth.workers).toBeUndefined();
  });

  it("replaces threads that have failed", async () => {
    const first = leaseWorkers({ workers: 1, values: 1 });
    await first.workers!.end();
    using second = leaseWorkers({ workers: 1, values: 1 });
    expect(second.workers).not.toBe(first.workers);
    first[Symbol.dispose]();
    expect(second.workers!.healthy).toBe(true);
  });
});
