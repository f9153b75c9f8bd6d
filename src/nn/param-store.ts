/**
 * Where a model's parameters come from and under which checkpoint key each one lives: a path object.
 *
 *     const vs = ParamStore.seeded({ seed: 0 });          // fresh values
 *     const vs = ParamStore.fromTensors(tensors);         // straight from a checkpoint, nothing is initialised first
 *     const vs = ParamStore.shapesOnly();                 // "meta" tensors: shapes without memory
 *     new Conv2d(vs.at("conv_in"), 4, 320, 3);            // keys conv_in.weight, conv_in.bias
 *
 * After building from tensors call `finish()`: it reports all missing, unexpected and mismatched keys at once.
 */
import { CheckpointError, Generator, empty, keep, sameDevice, scope } from "../torch/index.ts";
import type { Device, DType, Tensor } from "../torch/index.ts";
import { initialize } from "./init.ts";
import type { Init } from "./init.ts";
import { keyErrors } from "./key-errors.ts";
import { formatFor, inFormat } from "./memory-format.ts";
import type { WeightFormat } from "./memory-format.ts";
import type { Module } from "./module.ts";
import { Parameter } from "./parameter.ts";

type Create = (key: string, shape: readonly number[], init: Init, kind: BufferKind) => Tensor;

/** What tells a saved buffer from a parameter. */
interface BufferKind {
  /** Whole numbers (int64), such as a counter. */
  readonly whole?: boolean;
  /** Files may lack it; it is then made new. */
  readonly optional?: boolean;
}

/** What all paths of one model share. */
interface Registry {
  readonly parameters: Map<string, Parameter>;
  readonly buffers: Map<string, Parameter>;
  readonly modules: Map<string, Module>;
  readonly create: Create;
  readonly device: Device;
  readonly tensors: ReadonlyMap<string, Tensor> | undefined;
  readonly problems: { missing: string[]; mismatched: string[]; skipped: Set<string> };
}

export interface StoreOptions {
  readonly dtype?: DType;
  readonly device?: Device;
  /** Of the weights of convolutions; by default channels last where `device` names a card, otherwise as they are. */
  readonly memoryFormat?: WeightFormat;
}

export class ParamStore {
  readonly path: string;
  readonly #registry: Registry;

  private constructor(registry: Registry, path: string) {
    this.#registry = registry;
    this.path = path;
  }

  /** Fresh parameters with PyTorch's default distributions, drawn from `generator` or from a new one with `seed`. */
  static seeded(options: StoreOptions & { seed?: number; generator?: Generator } = {}): ParamStore {
    const { dtype = "float32", device = "cpu", seed = 0 } = options;
    const { memoryFormat = formatFor(device) } = options;
    const generator = options.generator ?? new Generator().manualSeed(seed);
    const create: Create = (_key, shape, init, { whole = false }) =>
      inFormat(initialize(init, shape, { generator, dtype: whole ? "int64" : dtype, device }), memoryFormat);
    return ParamStore.#root(create, device, undefined);
  }

  /**
   * Parameters taken straight from `tensors` (no copy unless dtype, device or memory format differ, or `copy` is set): the
   * model owns them from then on. `dtype` converts floating-point tensors; without it they keep the dtype that they have.
   */
  static fromTensors(
    tensors: ReadonlyMap<string, Tensor>,
    { dtype, device, memoryFormat, copy = false }: StoreOptions & { copy?: boolean } = {},
  ): ParamStore {
    const format = memoryFormat ?? (device === undefined ? undefined : formatFor(device));
    const problems: Registry["problems"] = { missing: [], mismatched: [], skipped: new Set() };
    const [first] = tensors.values();
    const place = device ?? first?.device ?? "cpu";
    const create: Create = (key, shape, init, { whole = false, optional = false }) => {
      const given = tensors.get(key);
      if (given === undefined && optional) {
        const made = { dtype: whole ? "int64" : (dtype ?? "float32"), device: place } as const;
        return initialize(init, shape, { generator: new Generator(), ...made });
      }
      if (given === undefined) problems.missing.push(key);
      else if (given.shape.join() !== shape.join()) {
        problems.mismatched.push(
          `${key}: [${given.shape.join(", ")}] in the checkpoint, [${shape.join(", ")}] in the model`,
        );
      } else if (/float/.test(given.dtype) === whole) {
        // Quantised files hold whole numbers, which mean nothing without their scales.
        const wanted = whole ? "whole numbers" : "floating point";
        problems.mismatched.push(`${key}: ${given.dtype} in the checkpoint, ${wanted} in the model`);
      } else {
        const target = {
          dtype: whole ? "int64" : (dtype ?? given.dtype),
          device: device ?? given.device,
        } as const;
        const isPlaced = target.dtype === given.dtype && sameDevice(target.device, given.device);
        const placed = isPlaced ? (copy ? given.detach().clone() : given) : given.to(target);
        return inFormat(placed, format);
      }
      return empty([...shape], { device: "meta" }); // a place holder: finish() throws
    };
    return ParamStore.#root(create, place, tensors, problems);
  }

  /** Parameters on the "meta" device: shapes and keys without memory, to inspect an architecture. */
  static shapesOnly(): ParamStore {
    return ParamStore.seeded({ device: "meta" });
  }

  static #root(
    create: Create,
    device: Device,
    tensors: ReadonlyMap<string, Tensor> | undefined,
    problems: Registry["problems"] = { missing: [], mismatched: [], skipped: new Set() },
  ): ParamStore {
    const maps = { parameters: new Map(), buffers: new Map(), modules: new Map() };
    return new ParamStore({ ...maps, create, device, tensors, problems }, "");
  }

  /** The path below this one; several names may be given: `vs.at("to_out", 0)`. */
  at(...names: readonly (string | number)[]): ParamStore {
    return new ParamStore(this.#registry, [this.path, ...names].filter((name) => name !== "").join("."));
  }

  #key(name: string): string {
    return this.path === "" ? name : `${this.path}.${name}`;
  }

  /** True when the parameters come from a checkpoint that holds this key. */
  has(name: string): boolean {
    return this.#registry.tensors?.has(this.#key(name)) ?? false;
  }

  /** Makes and registers a trainable parameter. */
  parameter(name: string, shape: readonly number[], init: Init): Parameter {
    const key = this.#key(name);
    const value = keep(scope(() => this.#registry.create(key, shape, init, {})));
    const parameter = new Parameter(
      key,
      this.#registry.device === "meta" ? value : value.requiresGrad_(true),
    );
    this.#registry.parameters.set(key, parameter);
    return parameter;
  }

  /** Makes and registers a tensor that is saved with the model but not trained, such as a running mean. */
  buffer(name: string, shape: readonly number[], init: Init, kind: BufferKind = {}): Parameter {
    const key = this.#key(name);
    const value = keep(scope(() => this.#registry.create(key, shape, init, kind)));
    const buffer = new Parameter(key, value, { optional: kind.optional });
    this.#registry.buffers.set(key, buffer);
    return buffer;
  }

  /** Registers a tensor computed from the configuration; no checkpoint holds it and `to` leaves its dtype alone. */
  derivedBuffer(name: string, compute: () => Tensor): Parameter {
    const { device } = this.#registry;
    const value = keep(scope(() => (device === "cpu" ? compute() : compute().to(device))));
    const buffer = new Parameter(this.#key(name), value, { persistent: false });
    this.#registry.buffers.set(buffer.key, buffer);
    return buffer;
  }

  /** Names a key that older checkpoints hold and this model does not use. */
  skip(name: string): void {
    this.#registry.problems.skipped.add(this.#key(name));
  }

  /** Called by Module's constructor. */
  register(module: Module): void {
    this.#registry.modules.set(this.path, module);
  }

  parameters(): IterableIterator<[string, Parameter]> {
    return this.#below(this.#registry.parameters);
  }

  buffers(): IterableIterator<[string, Parameter]> {
    return this.#below(this.#registry.buffers);
  }

  modules(): IterableIterator<[string, Module]> {
    return this.#below(this.#registry.modules);
  }

  *#below<T>(map: ReadonlyMap<string, T>): IterableIterator<[string, T]> {
    const prefix = this.path === "" ? "" : `${this.path}.`;
    for (const [key, value] of map) {
      if (key === this.path) yield ["", value];
      else if (key.startsWith(prefix)) yield [key.slice(prefix.length), value];
    }
  }

  /** Checks that model and checkpoint fit each other. @throws CheckpointError naming every key that does not fit. */
  finish({ strict = true }: { strict?: boolean } = {}): void {
    const { tensors, parameters, buffers, problems } = this.#registry;
    if (tensors === undefined) return;
    const known = (key: string) =>
      parameters.has(key) || buffers.get(key)?.persistent === true || problems.skipped.has(key);
    const unexpected = strict ? [...tensors.keys()].filter((key) => !known(key)) : [];
    const message = keyErrors({ missing: problems.missing, mismatched: problems.mismatched, unexpected });
    if (message !== undefined) throw new CheckpointError(message);
  }
}

/** Builds a model from tensors and checks all keys; on failure nothing stays allocated. */
export function buildFromTensors<M extends Module>(
  tensors: ReadonlyMap<string, Tensor>,
  build: (vs: ParamStore) => M,
  { strict = true, ...options }: StoreOptions & { copy?: boolean; strict?: boolean } = {},
): M {
  const vs = ParamStore.fromTensors(tensors, options);
  try {
    const model = build(vs);
    vs.finish({ strict });
    return model;
  } catch (error) {
    for (const [, slot] of [...vs.parameters(), ...vs.buffers()]) slot.dispose();
    throw error;
  }
}
