// Fisher's exact test, one side: how likely a random choice of images holds at least so many of the marked ones.

/** Tail of the hypergeometric distribution for choices from `total` images. */
export class HypergeometricTail {
  readonly #total: number;
  /** `#logFactorial[n]` is ln n!. */
  readonly #logFactorial: Float64Array;

  constructor(total: number) {
    this.#total = total;
    this.#logFactorial = new Float64Array(total + 1);
    for (let n = 2; n <= total; n++) this.#logFactorial[n] = this.#logFactorial[n - 1]! + Math.log(n);
  }

  /** Chance that at least `hits` of `drawn` images, drawn without replacement, are among the `marked` ones. */
  atLeast(hits: number, { drawn, marked }: { drawn: number; marked: number }): number {
    const last = Math.min(drawn, marked);
    const first = Math.max(hits, 0, drawn + marked - this.#total);
    if (first > last) return 0;
    let term = Math.exp(
      this.#logChoose(marked, first) +
        this.#logChoose(this.#total - marked, drawn - first) -
        this.#logChoose(this.#total, drawn),
    );
    let sum = 0;
    for (let x = first; x <= last; x++) {
      sum += term;
      term *= ((marked - x) / (x + 1)) * ((drawn - x) / (this.#total - marked - drawn + x + 1));
    }
    return Math.min(1, sum);
  }

  #logChoose(n: number, k: number): number {
    return this.#logFactorial[n]! - this.#logFactorial[k]! - this.#logFactorial[n - k]!;
  }
}
