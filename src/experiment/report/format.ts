// How numbers are written in the report; fixed to English, so that a report does not depend on the machine.
import type { Interval } from "../../metrics/index.ts";
import type { Measured } from "./metric-data.ts";

/** Such as 0.153; `digits` after the point, a true minus sign. */
export function fixed(value: number, digits = 2): string {
  const text = value.toFixed(digits);
  // No "-0.00".
  return Number(text) === 0 ? (0).toFixed(digits) : text.replace("-", "\u2212");
}

/** Such as "90 %"; one digit where whole per cents would hide that it is not 0 or 100 %. */
export function percent(share: number, digits?: number): string {
  const value = share * 100;
  const needsDigit = Math.round(value) !== value && (value < 1 || value > 99);
  return `${fixed(value, digits ?? (needsDigit ? 1 : 0))}\u00a0%`;
}

/** Such as "99.4 %": for accuracies, where a tenth counts. */
export function percent1(share: number): string {
  return percent(share, 1);
}

/** Such as "0.12 to 0.19". */
export function range([low, high]: Interval, write: (value: number) => string = fixed): string {
  const [from, to] = [write(low), write(high)];
  const sign = "\u00a0%";
  // The sign of the second number stands for both.
  return `${from.endsWith(sign) && to.endsWith(sign) ? from.slice(0, -sign.length) : from} to ${to}`;
}

/** Such as "0.15 (0.12 to 0.19)". */
export function measured({ value, interval }: Measured, write: (value: number) => string = fixed): string {
  return interval ? `${write(value)} (${range(interval, write)})` : write(value);
}

/** Such as "12,000". */
export function integer(value: number): string {
  return Math.round(value)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, ",");
}

/** Such as "45 s", "3 min 05 s", "1 h 02 min". */
export function duration(seconds: number): string {
  if (seconds < 10) return `${fixed(seconds, 1)}\u00a0s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole}\u00a0s`;
  const minutes = Math.floor(whole / 60);
  const pad = (value: number) => String(value).padStart(2, "0");
  if (minutes < 60) return `${minutes}\u00a0min ${pad(whole % 60)}\u00a0s`;
  return `${Math.floor(minutes / 60)}\u00a0h ${pad(minutes % 60)}\u00a0min`;
}

/** Such as "24 Nov 2026, 02:41 UTC"; text that is no date stays as it is. */
export function dateTime(iso: string): string {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return iso;
  const day = date.toLocaleDateString("en-GB", {
    day: "numeric",
    month: "short",
    year: "numeric",
    timeZone: "UTC",
  });
  return `${day}, ${date.toISOString().slice(11, 16)} UTC`;
}

/** Such as "a, b and c". */
export function list(words: readonly string[]): string {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}

/** True for text that is written from right to left, in part at least. */
export function isRightToLeft(text: string): boolean {
  return /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/.test(text);
}

/** Such as "“a waterbird”". */
export function quoted(text: string): string {
  return `\u201c${text}\u201d`;
}

/** Such as "1.24 GB"; powers of 1024, as memory is measured. */
export function bytes(count: number): string {
  const units = ["B", "KB", "MB", "GB", "TB"];
  const power = count < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(count) / 10));
  const value = count / 1024 ** power;
  return `${fixed(value, power === 0 || value >= 100 ? 0 : value >= 10 ? 1 : 2)}\u00a0${units[power]}`;
}

/** Text of at most `length` characters, with an ellipsis where something was cut off. */
export function shortened(text: string, length: number): string {
  const characters = [...text];
  return characters.length <= length
    ? text
    : `${characters
        .slice(0, length - 1)
        .join("")
        .trimEnd()}\u2026`;
}
