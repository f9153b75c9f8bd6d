// Progress on stderr: a bar in a terminal, else a line now and then.
import cliProgress from "cli-progress";
import type { Progress } from "../experiment/index.ts";
import { durationText, numberText } from "./text.ts";

/** Without a terminal: a line every LINE_MS, or every tenth of the work, but not more often than TENTH_MS. */
const LINE_MS = 5000;
const TENTH_MS = 1000;

interface Task {
  id: string;
  startedAt: number;
  /** `done` of the first report: resumed work does not count for the rate. */
  first: number;
  lastLineAt: number;
  lastLineDone: number;
}

export interface PrinterOptions {
  stream?: NodeJS.WriteStream;
  /** Clock in milliseconds. */
  now?: () => number;
}

export class ProgressPrinter {
  readonly #stream: NodeJS.WriteStream;
  readonly #now: () => number;
  #task: Task | undefined;
  #bar: cliProgress.SingleBar | undefined;

  constructor({ stream = process.stderr, now = () => performance.now() }: PrinterOptions = {}) {
    this.#stream = stream;
    this.#now = now;
  }

  show(progress: Progress): void {
    const { stage, task, done, total } = progress;
    const id = `${stage}\n${task}`;
    const now = this.#now();
    const isNew = this.#task?.id !== id || done < this.#task.first;
    if (isNew) {
      this.end();
      // -Infinity: the first report is always shown.
      this.#task = { id, startedAt: now, first: done, lastLineAt: -Infinity, lastLineDone: done };
    }
    const current = this.#task;
    if (!current) return;
    const text = `${stage}: ${task}`;
    const details = this.#details(progress, current, now);
    if (this.#stream.isTTY) {
      this.#bar ??= this.#newBar(total, done);
      this.#bar.setTotal(total);
      this.#bar.update(done, { text, details, shown: shownNumber(done) });
      return;
    }
    const since = now - current.lastLineAt;
    const tenth = (done - current.lastLineDone) * 10 >= total && since >= TENTH_MS;
    if (since < LINE_MS && !tenth && !(done >= total && current.lastLineDone < total)) return;
    current.lastLineAt = now;
    current.lastLineDone = done;
    this.#stream.write(
      `${text} ${shownNumber(done)}/${numberText(total)}${details === "" ? "" : `  ${details}`}\n`,
    );
  }

  /** Prints a line without disturbing the bar. */
  note(text: string): void {
    this.end();
    this.#stream.write(`${text}\n`);
  }

  /** Closes the bar; the next report opens a new one. */
  end(): void {
    this.#bar?.stop();
    this.#bar = undefined;
    this.#task = undefined;
  }

  #newBar(total: number, done: number): cliProgress.SingleBar {
    const colour = process.env["NO_COLOR"] ? ["", ""] : ["\u001b[36m", "\u001b[39m"];
    const bar = new cliProgress.SingleBar(
      {
        format: `{text} ${colour[0]}{bar}${colour[1]} {shown}/{total}  {details}`,
        barsize: 24,
        stream: this.#stream,
        hideCursor: true,
        fps: 5,
        // Ours are the signal handlers.
        gracefulExit: false,
      },
      cliProgress.Presets.shades_classic,
    );
    bar.start(total, done, { text: "", details: "", shown: shownNumber(done) });
    return bar;
  }

  #details({ done, total, unit = "it", images, values = {} }: Progress, task: Task, now: number): string {
    const seconds = (now - task.startedAt) / 1000;
    const rate = seconds > 0 ? (done - task.first) / seconds : 0;
    const parts: string[] = [];
    if (rate > 0) {
      parts.push(`${rateText(rate)} ${unit}/s`);
      if (images !== undefined) parts.push(`${rateText(rate * images)} images/s`);
      if (done < total) parts.push(`${durationText((total - done) / rate)} left`);
    }
    for (const [name, value] of Object.entries(values)) parts.push(`${name} ${Number(value.toPrecision(4))}`);
    return parts.join(", ");
  }
}

const rateText = (rate: number): string => (rate >= 10 ? rate.toFixed(0) : rate.toPrecision(2));

/** Whole numbers as they are; a batch half done shows its tenths. */
const shownNumber = (done: number): string => numberText(Math.round(done * 10) / 10);
