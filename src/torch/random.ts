// Random generators: on the CPU the same stream as Python's torch.Generator for the same seed.
import { addon, type Handle } from "./addon.ts";
import { wrap } from "./bridge.ts";
import type { Device } from "./dtype.ts";
import { tensor } from "./tensor.ts";

/** A seeded stream of random numbers on one device. */
export class Generator {
  readonly handle: Handle;
  readonly device: Device;

  constructor(device: Device = "cpu", handle: Handle = addon.newGenerator(device)) {
    this.device = device;
    this.handle = handle;
  }

  /** The device's own, from which operators draw that are given none; its changes are theirs. */
  static default(device: Device = "cpu"): Generator {
    return new Generator(device, addon.defaultGenerator(device));
  }

  manualSeed(seed: number | bigint): this {
    addon.seedGenerator(this.handle, seed);
    return this;
  }

  /** The whole state (5,056 bytes on the CPU), to be restored by `setState`. */
  getState(): Uint8Array {
    using state = wrap(addon.generatorState(this.handle));
    return state.toArray() as Uint8Array;
  }

  setState(state: Uint8Array): this {
    using bytes = tensor(state);
    addon.setGeneratorState(this.handle, bytes.handle);
    return this;
  }
}

/** Seeds the default generators of all devices. */
export const manualSeed = (seed: number | bigint): void => addon.manualSeed(seed);
