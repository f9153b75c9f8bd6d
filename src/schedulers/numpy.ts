// numpy's arithmetic, where sampling timesteps and noise levels depend on how it rounds.

/** Rounds halves to the even neighbour (Math.round rounds them up). */
export function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  if (value - floor !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}

/** `count` numbers from 0 to `end`: multiples of the step, and the last exactly the end (numpy's linspace). */
export function linspaceTo(end: number, count: number): number[] {
  const step = end / (count - 1);
  return Array.from({ length: count }, (_, i) => (i > 0 && i === count - 1 ? end : i === 0 ? 0 : i * step));
}

/** From `start` down while above 0 (numpy's arange): the step is what one subtraction from the start leaves of it. */
export function countdown(start: number, step: number): number[] {
  const second = start - step;
  const delta = second - start;
  return Array.from({ length: Math.ceil(start / step) }, (_, i) => (i === 1 ? second : start + i * delta));
}

/** `table` at a fractional index, linear between its entries and constant beyond them (numpy's interp). */
export function interpolate(table: readonly number[], index: number): number {
  const low = Math.floor(index);
  if (low < 0) return table[0]!;
  if (low >= table.length - 1) return table[table.length - 1]!;
  const from = table[low]!;
  return index === low ? from : (table[low + 1]! - from) * (index - low) + from;
}
