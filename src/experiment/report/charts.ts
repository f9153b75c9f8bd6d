// Charts as SVG text by ECharts' server-side renderer: no DOM, no script in the page. Each chart is drawn twice, for phones
// and for wide windows, because a scaled-down chart has unreadable text; CSS shows one of the two.
import type { EChartsOption } from "echarts";
import { html, rawHtml } from "./html.ts";
import type { Html } from "./html.ts";
import { ink, toCssColours } from "./palette.ts";

/** Size in CSS pixels. */
export interface ChartSize {
  width: number;
  height: number;
  /** True for the phone's drawing. */
  narrow: boolean;
}

/** A chart: what it shows in words, and its ECharts options for a size. */
export interface Chart {
  /** For readers who do not see it: what is drawn and what it says. */
  label: string;
  height: number;
  /** Width of the wide drawing; default 760 (a full column), 420 for half a column. */
  width?: number;
  option: (size: ChartSize) => EChartsOption;
}

/** Text style of all charts. */
export const chartText = { fontFamily: "system-ui, sans-serif", fontSize: 12, color: ink.text };

/** Draws charts; ids count up per drawer, so that one page has no id twice and equal data give equal text. */
export class ChartDrawer {
  readonly #echarts: typeof import("echarts");
  #drawn = 0;

  private constructor(echarts: typeof import("echarts")) {
    this.#echarts = echarts;
  }

  /** Loads ECharts (0.4 s), which is why it is not a static import. */
  static async create(): Promise<ChartDrawer> {
    return new ChartDrawer(await import("echarts"));
  }

  /** A labelled block with both drawings. */
  draw(chart: Chart): Html {
    const { label, height, width = 760 } = chart;
    const narrow = this.#svg(chart, { width: 330, height, narrow: true });
    const wide = this.#svg(chart, { width, height, narrow: false });
    return html`<div class="chart" role="img" aria-label="${label}">
      <div class="narrow" aria-hidden="true">${narrow}</div>
      <div class="wide" aria-hidden="true">${wide}</div>
    </div>`;
  }

  #svg(chart: Chart, size: ChartSize): Html {
    const { width, height } = size;
    const instance = this.#echarts.init(null, null, { renderer: "svg", ssr: true, width, height });
    try {
      instance.setOption({ animation: false, textStyle: chartText, ...chart.option(size) });
      return rawHtml(toCssColours(this.#cleaned(instance.renderToSVGString(), width, height)));
    } finally {
      instance.dispose();
    }
  }

  #cleaned(svg: string, width: number, height: number): string {
    const id = `c${this.#drawn++}-`;
    return svg
      .replace(/<svg[^>]*>/, `<svg viewBox="0 0 ${width} ${height}" focusable="false">`)
      .replace(/<style[^>]*>[\s\S]*?<\/style>/g, "")
      .replace(/ ecmeta_[a-z_]+="[^"]*"/g, "")
      .replace(/ class="[^"]*"/g, "")
      .replace(/zr\d+-/g, id)
      .replace(/<rect[^>]*fill="none"[^>]*><\/rect>/, "");
  }
}
