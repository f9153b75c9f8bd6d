/**
 * Small seeded random numbers for drawing pictures and ordering data, the same on every platform.
 * Generator: sfc32 (Chris Doty-Humphrey, PractRand); seeding by a 32-bit FNV-1a hash of the keys.
 * Random numbers that enter a model come from the torch Generator instead.
 */

/** Four unsigned 32-bit words: everything needed to continue a `Random`. */
export type RandomState = [number, number, number, number];

/** Seeded random numbers; the same keys give the same sequence, other keys an independent one. */
export class Random {
  #a = 0;
  #b = 0;
  #c = 0;
  #d = 1;

  constructor(...keys: readonly (number | string)[]) {
    const text = JSON.stringify(keys);
    this.#a = hash(text, 0x811c9dc5);
    this.#b = hash(text, 0x9e3779b9);
    this.#c = hash(text, 0x85ebca6b);
    for (let i = 0; i < 15; i++) this.next();
  }

  /** Next unsigned 32-bit integer. */
  next(): number {
    const result = (this.#a + this.#b + this.#d) >>> 0;
    this.#d = (this.#d + 1) >>> 0;
    this.#a = (this.#b ^ (this.#b >>> 9)) >>> 0;
    this.#b = (this.#c + (this.#c << 3)) >>> 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) >>> 0;
    this.#c = (this.#c + result) >>> 0;
    return result;
  }

  /** Number in [low, high). */
  uniform(low = 0, high = 1): number {
    const unit = ((this.next() >>> 5) * 67108864 + (this.next() >>> 6)) / 9007199254740992;
    return low + (high - low) * unit;
  }

  /** Integer in [0, below). */
  int(below: number): number {
    return Math.floor(this.uniform() * below);
  }

  /** Normally distributed number (Box-Muller). */
  normal(mean = 0, deviation = 1): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    return mean + deviation * radius * Math.cos(2 * Math.PI * this.uniform());
  }

  /** True with the given probability. */
  chance(probability: number): boolean {
    return this.uniform() < probability;
  }

  /** One of the items; the list may not be empty. */
  choice<T>(items: readonly T[]): T {
    if (items.length === 0)
      throw new RangeError("Random.choice was given an empty list; give at least one item.");
    return items[this.int(items.length)] as T;
  }

  /** Shuffles the list in place (Fisher-Yates) and returns it. */
  shuffle<T extends unknown[] | Int32Array>(items: T): T {
    for (let i = items.length - 1; i > 0; i--) {
      const j = this.int(i + 1);
      const held = items[i];
      items[i] = items[j];
      items[j] = held;
    }
    return items;
  }

  state(): RandomState {
    return [this.#a, this.#b, this.#c, this.#d];
  }

  restore(state: RandomState): this {
    [this.#a, this.#b, this.#c, this.#d] = state;
    return this;
  }
}

function hash(text: string, start: number): number {
  let value = start;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  value ^= value >>> 16;
  return Math.imul(value, 0x7feb352d) >>> 0;
}
