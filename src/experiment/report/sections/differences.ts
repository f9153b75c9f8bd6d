// What sets a group apart, as a small table with bars: share in the group against share in all groups.
import { fixed, percent } from "../format.ts";
import type { GroupDifference } from "../group-data.ts";
import { html } from "../html.ts";
import type { Html } from "../html.ts";

/** Captions, words and metadata values that are more frequent in a group. */
export function differenceTable(group: string, differences: readonly GroupDifference[]): Html {
  if (differences.length === 0)
    return html`<p class="small">No caption or metadata value is more frequent here, beyond chance.</p>`;
  return html`<table class="differences">
    <caption>
      More frequent in this group<span class="hidden">: ${group}</span>
    </caption>
    <thead>
      <tr>
        <th scope="col">What</th>
        <th scope="col" class="num">Here</th>
        <th scope="col" class="num">Overall</th>
        <th scope="col" class="num">Lift</th>
      </tr>
    </thead>
    <tbody>
      ${differences.map((difference) => {
        const { share, overall, lift } = difference;
        const width = (part: number) => `${(100 * part).toFixed(1)}%`;
        return html`<tr>
          <th scope="row">
            ${nameOf(difference)}
            <span
              class="lift"
              style="--share:${width(share)};--overall:${width(overall)}"
              aria-hidden="true"
            ></span>
          </th>
          <td class="num">${percent(share)}</td>
          <td class="num">${percent(overall)}</td>
          <td class="num">${liftText(lift)}</td>
        </tr>`;
      })}
    </tbody>
  </table>`;
}

/** What is more frequent, in words. */
function nameOf({ kind, column, value }: GroupDifference): Html {
  if (kind === "word") return html`word “<bdi>${value}</bdi>”`;
  if (kind === "caption") return html`caption “<bdi>${value}</bdi>”`;
  return html`${column}: <bdi>${value}</bdi>`;
}

/** Such as "9.8×". */
export function liftText(lift: number): string {
  return `${fixed(lift, lift < 10 ? 1 : 0)}\u00d7`;
}
