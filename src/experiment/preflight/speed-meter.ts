// Speed of a training over its latest steps, and what is left.

const WINDOW = 50;
/** Steps before a first estimate. */
const ENOUGH = 5;

/** Counts steps and images over a moving window; time between `pause` and the next step's start is not counted. */
export class SpeedMeter {
  readonly #now: () => number;
  readonly #latest: { readonly seconds: number; readonly images: number }[] = [];
  #mark: number;
  #steps = 0;

  /** @param now seconds on a clock that only goes forward. */
  constructor(now: () => number = () => performance.now() / 1000) {
    this.#now = now;
    this.#mark = now();
  }

  /** Steps so far. */
  get steps(): number {
    return this.#steps;
  }

  /** To be called at the end of each step. */
  step(images: number): void {
    const time = this.#now();
    // The first step also warms up kernels and memory: it goes as soon as there are others.
    if (this.#steps === 1) this.#latest.pop();
    this.#latest.push({ seconds: time - this.#mark, images });
    if (this.#latest.length > WINDOW) this.#latest.shift();
    this.#mark = time;
    this.#steps++;
  }

  /** To be called after work between steps, so that the next step does not look slow. */
  pause(): void {
    this.#mark = this.#now();
  }

  /** 0 before the first step. */
  get stepsPerSecond(): number {
    return this.#rate(() => 1);
  }

  /** 0 before the first step. */
  get imagesPerSecond(): number {
    return this.#rate(({ images }) => images);
  }

  /** Seconds for so many further steps; undefined before the fifth step. */
  expectedSeconds(steps: number): number | undefined {
    return this.#steps < ENOUGH ? undefined : steps / this.stepsPerSecond;
  }

  #rate(of: (step: { readonly images: number }) => number): number {
    const seconds = this.#latest.reduce((sum, step) => sum + step.seconds, 0);
    const count = this.#latest.reduce((sum, step) => sum + of(step), 0);
    return count === 0 ? 0 : count / seconds;
  }
}
