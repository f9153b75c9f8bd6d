// From the small populations of each caption to hidden attributes of all images, and to groups: their combinations.
import { dot, type Population } from "./populations.ts";

/** A hidden attribute with a usual and a rare value. */
export interface HiddenAttribute {
  /** Score of each image, [N], standardised within its caption: high = rare value; NaN where its caption shows no such attribute. */
  readonly scores: Float64Array;
  /** Posterior of the rare value, [N]; 0 where the caption shows no such attribute. */
  readonly rare: Float64Array;
  /** Share of images with the rare value. */
  readonly share: number;
}

interface Table {
  /** [N][width]: losses standardised within each bucket. */
  readonly standard: Float64Array;
  readonly buckets: readonly (readonly number[])[];
  readonly width: number;
  readonly limit: number;
}

/**
 * Puts populations of different buckets together into attributes: those that change the losses most alike, in size and
 * in pattern. (Populations of one bucket are different attributes.)
 */
export function matchAttributes(
  found: readonly (readonly Population[])[],
  { standard, buckets, width, limit }: Table,
): HiddenAttribute[] {
  const count = standard.length / width;
  const slots: { effect: number[]; scores: Float64Array; rare: Float64Array }[] = [];
  // The bucket that shows the most attributes comes first: the others are compared with its.
  const order = buckets
    .map((rows, b) => ({ rows, populations: [...found[b]!] }))
    .sort((a, b) => b.populations.length - a.populations.length || b.rows.length - a.rows.length);
  for (const { rows, populations } of order) {
    const effects = populations.map(({ mixture: { upper } }) => meanEffect(rows, upper, { standard, width }));
    const pairs = effects
      .flatMap((effect, p) => slots.map((slot, s) => ({ p, s, likeness: likeness(effect, slot.effect) })))
      .sort((a, b) => b.likeness - a.likeness);
    const slotOf = new Map<number, number>();
    const take = (least: number) => {
      for (const { p, s, likeness: own } of pairs)
        if (own > least && !slotOf.has(p) && ![...slotOf.values()].includes(s)) slotOf.set(p, s);
    };
    take(ALIKE);
    populations.forEach((_, p) => {
      if (slotOf.has(p) || slots.length >= limit) return;
      slotOf.set(p, slots.length);
      slots.push({
        effect: effects[p]!,
        scores: new Float64Array(count).fill(NaN),
        rare: new Float64Array(count),
      });
    });
    // No new attribute is left for these: the nearest that is free.
    take(-Infinity);
    for (const [p, s] of slotOf) {
      const { scores, mixture } = populations[p]!;
      rows.forEach((row, i) => {
        slots[s]!.scores[row] = scores[i]!;
        slots[s]!.rare[row] = mixture.upper[i]!;
      });
    }
  }
  return slots.map(({ scores, rare }) => ({
    scores,
    rare,
    share: rare.reduce((sum, p) => sum + p, 0) / count,
  }));
}

/** Likeness above which two populations are taken for the same attribute; 1: the same effect, 0: another pattern or size. */
const ALIKE = 0.5;

/** 2 a.b / (|a|^2 + |b|^2). */
const likeness = (a: readonly number[], b: readonly number[]): number =>
  (2 * dot(a, b)) / (dot(a, a) + dot(b, b) || 1);

/** Mean of each column over the small population, [width]. */
const meanEffect = (
  rows: readonly number[],
  upper: Float64Array,
  { standard, width }: Pick<Table, "standard" | "width">,
): number[] => {
  const total = upper.reduce((sum, p) => sum + p, 0);
  return Array.from({ length: width }, (_, column) =>
    rows.reduce((sum, row, i) => sum + (upper[i]! / total) * standard[row * width + column]!, 0),
  );
};

/**
 * Soft groups [N][count]: one per combination of usual and rare values, whose weights are products of the posteriors.
 * Combinations of less than one image, and the smallest ones beyond `most`, go to the combination with one rare value less.
 */
export function combineAttributes(
  attributes: readonly HiddenAttribute[],
  rows: number,
  most: number,
): { weights: Float32Array; count: number } {
  const cells = Array.from({ length: 2 ** attributes.length }, (_, code) => ({
    code,
    weights: Float64Array.from({ length: rows }, (_, row) =>
      attributes.reduce((p, { rare }, a) => p * (code & (1 << a) ? rare[row]! : 1 - rare[row]!), 1),
    ),
  }));
  const total = ({ weights }: (typeof cells)[number]) => weights.reduce((sum, w) => sum + w, 0);
  for (;;) {
    const [smallest] = cells.slice(1).sort((a, b) => total(a) - total(b));
    if (!smallest || (cells.length <= most && total(smallest) >= 1)) break;
    cells.splice(cells.indexOf(smallest), 1);
    // Without its lowest rare value; that combination may be gone too.
    let code = smallest.code;
    let heir: (typeof cells)[number] | undefined;
    while (!heir) {
      code &= code - 1;
      heir = cells.find((cell) => cell.code === code);
    }
    for (let row = 0; row < rows; row++) heir.weights[row]! += smallest.weights[row]!;
  }
  const count = cells.length;
  const weights = Float32Array.from(
    { length: rows * count },
    (_, i) => cells[i % count]!.weights[Math.floor(i / count)]!,
  );
  return { weights, count };
}
