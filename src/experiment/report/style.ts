// The report's style sheet: system fonts, one restrained palette for light and dark, phone first.

/** CSS of report.html. */
export const reportCss = `
:root {
  color-scheme: light dark;
  --bg: #f6f5f1; --card: #fffefb; --sunk: #efede6; --text: #1d2125; --muted: #565d64; --line: #dedad0;
  --accent: #0b5c8a; --warn: #7a4b00; --warn-bg: #fdf1d8; --note-bg: #e6f0f5; --good: #0a6b4f; --bad: #a3311a;
  --c-base: #c24e16; --c-guided: #0a68a3; --c-third: #00755a; --c-fourth: #9a4780; --c-fifth: #86690a; --c-sixth: #59636d;
  --c-seventh: #4b51a8; --c-eighth: #4c7413; --c-ninth: #a8325b;
  --c-text: var(--text); --c-muted: var(--muted); --c-grid: var(--line); --c-accent: var(--accent); --c-card: var(--card);
  --serif: "Iowan Old Style", "Palatino Linotype", Palatino, "URW Palladio L", P052, Georgia, serif;
  --sans: system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", Arial, sans-serif;
  --mono: ui-monospace, "SF Mono", Menlo, Consolas, "Liberation Mono", monospace;
}
@media (prefers-color-scheme: dark) {
  :root {
    --bg: #14171a; --card: #1c2024; --sunk: #23282d; --text: #e9e7e2; --muted: #a9afb6; --line: #353b41;
    --accent: #7cc0ea; --warn: #f3cd85; --warn-bg: #352a14; --note-bg: #1a2d38; --good: #5fd0a8; --bad: #ff9c80;
    --c-base: #f0905c; --c-guided: #62b3ea; --c-third: #4bc8a0; --c-fourth: #dd9bc5; --c-fifth: #d6b743; --c-sixth: #a9b3bd;
    --c-seventh: #a3a8f5; --c-eighth: #a5cf6b; --c-ninth: #f28aae;
  }
}
*, *::before, *::after { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; scroll-padding-top: 1rem; }
body { margin: 0; background: var(--bg); color: var(--text); font: 1rem/1.6 var(--sans); overflow-wrap: break-word; }
a { color: var(--accent); text-underline-offset: .2em; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; border-radius: 3px; }
.skip { position: absolute; left: -99rem; }
.skip:focus { left: 1rem; top: .5rem; background: var(--card); padding: .5rem 1rem; z-index: 2; }
.page { max-width: 76rem; margin: 0 auto; padding: 0 1rem 4rem; }
h1, h2 { font-family: var(--serif); font-weight: 600; line-height: 1.15; text-wrap: balance; }
h1 { font-size: clamp(2.1rem, 1.5rem + 2.6vw, 3.3rem); letter-spacing: -.015em; margin: .3rem 0 1rem; }
h2 { font-size: clamp(1.5rem, 1.3rem + .8vw, 1.9rem); letter-spacing: -.01em; margin: 0 0 .75rem; }
h3 { font-size: 1.06rem; line-height: 1.35; margin: 2rem 0 .6rem; }
p { margin: 0 0 1rem; max-width: 68ch; }
.overline { font-size: .76rem; letter-spacing: .08em; text-transform: uppercase; color: var(--muted); margin: 0; }
.muted, figcaption, .small { color: var(--muted); }
.small, figcaption { font-size: .9rem; line-height: 1.5; }
header.hero { padding: 2.5rem 0 1.5rem; border-bottom: 1px solid var(--line); }
.lede { font-size: 1.13rem; line-height: 1.6; max-width: 62ch; }
.hero figure { margin: 1.2rem 0; } .hero figcaption { margin-top: .5rem; }
.hero .tag { display: none; }
nav.contents { padding: 1.25rem 0 0; }
nav.contents p { display: none; }
nav.contents ul { list-style: none; margin: 0; padding: 0; display: flex; flex-wrap: wrap; gap: .15rem 1.1rem; font-size: .93rem; }
nav.contents a { text-decoration: none; display: inline-block; padding: .3rem 0; }
nav.contents a:hover { text-decoration: underline; }
section { padding: 2.5rem 0 0; }
.verdict { font-family: var(--serif); font-size: clamp(1.2rem, 1.1rem + .6vw, 1.5rem); line-height: 1.35; max-width: 46ch; text-wrap: pretty; }
.cards { display: grid; gap: .9rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 16rem), 1fr)); margin: 1.25rem 0; padding: 0; list-style: none; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 1.1rem 1.2rem; }
.stat h3 { margin: 0 0 .5rem; font-size: .92rem; font-weight: 600; color: var(--muted); }
.stat .numbers { display: flex; align-items: baseline; flex-wrap: wrap; gap: 0 .55rem; font-variant-numeric: tabular-nums; line-height: 1.1; margin: 0 0 .6rem; }
.stat .big { font-size: 2.2rem; font-weight: 650; letter-spacing: -.02em; }
.stat .arrow { font-size: 1.5rem; color: var(--muted); }
.stat dl { margin: 0 0 .6rem; font-size: .88rem; display: grid; grid-template-columns: auto 1fr; gap: .1rem .8rem; color: var(--muted); font-variant-numeric: tabular-nums; }
.stat dt { color: var(--text); } .stat dd { margin: 0; }
.stat p { margin: 0; font-size: .88rem; line-height: 1.45; color: var(--muted); }
.base { color: var(--c-base); } .guided { color: var(--c-guided); }
.banner { border-radius: 10px; padding: .9rem 1.1rem; margin: 1rem 0; background: var(--note-bg); border-left: 4px solid var(--accent); }
.banner.warn { background: var(--warn-bg); border-color: var(--warn); }
.banner strong:first-child { display: block; }
.banner p, .banner ul { margin: .15rem 0 0; } .banner ul { padding-left: 1.2rem; max-width: 68ch; }
.badge { display: inline-block; font-size: .78rem; font-weight: 600; line-height: 1.4; color: var(--warn); background: var(--warn-bg); border-radius: 99px; padding: .1rem .65rem; vertical-align: .1em; white-space: nowrap; }
figure { margin: 1.25rem 0; } figcaption { margin-top: .7rem; max-width: 68ch; }
figure.card > figcaption:first-child { margin: 0 0 .8rem; color: var(--text); font-size: 1.06rem; font-weight: 600; }
.pair { display: grid; gap: 1.4rem; grid-template-columns: 1fr; }
p.label { margin: 0 0 .5rem; font-size: .95rem; font-weight: 600; max-width: none; display: flex; justify-content: space-between; gap: 1rem; align-items: baseline; }
.pair .small { margin: .5rem 0 0; }
.swatch { display: inline-block; width: .75em; height: .75em; border-radius: 3px; margin-right: .45em; background: var(--swatch); }
ul.tiles { list-style: none; margin: 0; padding: 0; display: grid; gap: .4rem .35rem; grid-template-columns: repeat(var(--columns, 4), minmax(0, 1fr)); }
ul.tiles.flow { grid-template-columns: repeat(auto-fill, minmax(min(4.1rem, 30%), 1fr)); }
ul.tiles img { display: block; width: 100%; height: auto; border-radius: 5px; background: var(--sunk); }
ul.tiles.single img { border-radius: 8px; }
.tag { display: block; font-size: .75rem; line-height: 1.3; margin-top: .15rem; color: var(--muted); text-align: center; }
.shares { margin: .8rem 0 0; }
.shares .strip { display: flex; height: .7rem; border-radius: 99px; overflow: hidden; gap: 2px; background: var(--sunk); }
.shares .strip span { background: var(--swatch); min-width: 0; }
.shares ul { list-style: none; margin: .35rem 0 0; padding: 0; display: flex; flex-wrap: wrap; gap: 0 1.1rem; font-size: .9rem; font-variant-numeric: tabular-nums; }
.galleries { display: grid; gap: 1.6rem; grid-template-columns: 1fr; }
.galleries .count { font-weight: 400; color: var(--muted); font-size: .9rem; white-space: nowrap; }
.charts { display: grid; gap: .9rem; grid-template-columns: 1fr; } .charts figure { margin: 0; } .charts + p { margin-top: .8rem; }
.chart svg { display: block; width: 100%; height: auto; max-width: 100%; overflow: visible; }
.chart .wide { display: none; }
.legend { list-style: none; margin: 0 0 .9rem; padding: 0; display: flex; flex-wrap: wrap; gap: .1rem 1.3rem; font-size: .92rem; }
.scroll { overflow-x: auto; margin: 1rem 0; border: 1px solid var(--line); border-radius: 10px; background: var(--card); }
table { border-collapse: collapse; width: 100%; font-size: .93rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; padding: .7rem .9rem .3rem; font-weight: 600; }
th, td { text-align: left; padding: .5rem .9rem; border-top: 1px solid var(--line); vertical-align: baseline; }
.scroll caption > span { display: inline-block; max-width: 80vw; position: sticky; left: .9rem; }
caption + thead th, thead:first-child th { border-top: 0; }
thead th { font-size: .85rem; font-weight: 600; color: var(--muted); } tbody th { font-weight: 500; min-width: 8.5rem; }
td.num, th.num { text-align: right; white-space: nowrap; } td.text { color: var(--muted); }
td .range { color: var(--muted); font-size: .88em; white-space: nowrap; }
table.many .num, .metrics thead .num { white-space: normal; } .scroll tbody th, .scroll thead th:first-child { position: sticky; left: 0; background: var(--card); }
td.bar { width: 38%; min-width: 7rem; }
td.bar span { display: block; height: .7rem; border-radius: 0 3px 3px 0; background: var(--accent); min-width: 2px; }
td.bar span.reused { opacity: .4; }
.metrics thead th { vertical-align: bottom; } .metrics thead th:not(:first-child) { min-width: 6rem; } .metrics th, .metrics td { padding-left: .5rem; padding-right: .5rem; } .metrics th:first-child { padding-left: .9rem; } .metrics td .range { font-size: .8em; }
.metrics tbody th { min-width: 12.5rem; max-width: 22rem; font-weight: 400; white-space: normal; }
.metrics .name { display: block; font-weight: 600; } .metrics .better { color: var(--muted); font-size: .88em; white-space: nowrap; }
.metrics .what { display: block; color: var(--muted); font-size: .86em; line-height: 1.4; margin-top: .15rem; }
.metrics td > span { display: block; } .metrics .value { font-weight: 600; } .metrics .none { color: var(--muted); font-size: .88em; }
.versus { font-size: .82em; margin-top: .15rem; white-space: normal; } .versus.unclear { color: var(--muted); }
.versus.better { color: var(--good); font-weight: 600; } .versus.worse { color: var(--bad); font-weight: 600; }
ul.skipped, ul.models { padding-left: 1.2rem; max-width: 68ch; } ul.skipped li, ul.models li { margin-bottom: .35rem; }
.confusion td { background: color-mix(in srgb, var(--bad) calc(var(--shade) * 38%), transparent); }
.confusion td.right { background: color-mix(in srgb, var(--accent) calc(var(--shade) * 34%), transparent); }
.confusion td .range { display: block; color: inherit; } .confusion { width: fit-content; max-width: 100%; } .confusion table { min-width: 20rem; }
table.differences { margin-top: .9rem; font-size: .88rem; } table.differences caption { padding: 0 0 .2rem; font-size: .92em; }
.differences th, .differences td { padding: .35rem .25rem; } .differences th:first-child { padding-left: 0; width: 60%; } .differences th { min-width: 0; overflow-wrap: anywhere; }
.differences td { white-space: nowrap; } ul.tiles + .small { margin-top: .6rem; }
.lift { display: block; position: relative; height: .45rem; margin-top: .25rem; border-radius: 99px; overflow: hidden; background: linear-gradient(to right, var(--accent) var(--share), var(--sunk) var(--share)); }
.lift::after { content: ""; position: absolute; top: 0; bottom: 0; left: calc(var(--overall) - 1px); width: 2px; background: var(--text); box-shadow: 0 0 0 1px var(--card); }
.hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
details { margin: 1rem 0; } summary { cursor: pointer; padding: .45rem 0; color: var(--accent); font-weight: 600; font-size: .95rem; }
details > figure.card:first-of-type { margin-top: .5rem; } .card > details:last-child { margin-bottom: 0; }
pre { margin: 1rem 0; padding: 1rem 1.1rem; overflow: auto; max-height: 30rem; background: var(--card); border: 1px solid var(--line); border-radius: 10px; font: .86rem/1.55 var(--mono); tab-size: 2; }
dl.glossary { display: grid; gap: 0 2rem; grid-template-columns: 1fr; margin: 0; max-width: 60rem; }
dl.glossary dt { font-weight: 600; margin-top: .9rem; } dl.glossary dd { margin: .15rem 0 0; max-width: 68ch; }
footer { margin-top: 3rem; padding-top: 1rem; border-top: 1px solid var(--line); font-size: .88rem; color: var(--muted); }
@media (max-width: 43.99rem) {
  .metrics { border: 0; background: none; overflow: visible; }
  .metrics table, .metrics tbody, .metrics tr, .metrics tbody th, .metrics td { display: block; width: auto; }
  .metrics thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  .metrics caption { display: block; padding: 0 0 .4rem; }
  .metrics tr { background: var(--card); border: 1px solid var(--line); border-radius: 10px; margin: 0 0 .9rem; padding: .8rem .9rem .4rem; }
  .metrics tbody th:first-child { border: 0; padding: 0 0 .5rem; max-width: none; }
  .metrics td { display: grid; grid-template-columns: minmax(0, 1fr) auto; gap: 0 .8rem; padding: .45rem 0; white-space: normal; }
  .metrics td { padding-left: 0; padding-right: 0; } .metrics td::before { content: attr(data-label); font-size: .92em; text-align: left; } .metrics td > .range, .metrics td > .versus { grid-row: 2; }
  .metrics td > .versus { grid-column: 1; text-align: left; margin: 0; } .metrics td > .range { grid-column: 2; }
}
@media (min-width: 44rem) {
  .page { padding: 0 2rem 4rem; }
  .pair { grid-template-columns: repeat(auto-fit, minmax(15rem, 1fr)); }
  .pair { column-gap: 2.8rem; } .pair > div { position: relative; }
  .pair > div + div::before { content: ""; position: absolute; left: -1.4rem; top: 0; bottom: 0; border-left: 1px solid var(--line); }
  .pair.two { grid-template-columns: 1fr 1fr; } .pair.two > :nth-child(odd)::before { display: none; }
  .pair > :only-child > ul.tiles { grid-template-columns: repeat(8, minmax(0, 1fr)); }
  .galleries, .charts { grid-template-columns: repeat(auto-fit, minmax(min(100%, 20rem), 1fr)); }
  .cards.n4 { grid-template-columns: 1fr 1fr; } .cards.n3 { grid-template-columns: 1fr 1fr; } .cards.n3 > :first-child { grid-column: 1 / -1; }
  .chart .narrow { display: none; } .chart .wide { display: block; }
  .card { padding: 1.3rem 1.5rem; }
  dl.glossary { grid-template-columns: 12rem 1fr; } dl.glossary dt, dl.glossary dd { margin: 0; padding: .55rem 0; border-top: 1px solid var(--line); }
}
@media (min-width: 68rem) {
  .hero .columns { display: grid; grid-template-columns: minmax(0, 1fr) 24rem; gap: 0 4rem; align-items: start; }
  .hero figure { grid-column: 2; grid-row: 1 / span 4; margin: .4rem 0 0; }
  .layout { display: grid; grid-template-columns: 11.5rem minmax(0, 1fr); gap: 0 3rem; }
  nav.contents { position: sticky; top: 0; align-self: start; max-height: 100vh; overflow-y: auto; padding: 2.9rem 0 1rem; }
  nav.contents p { display: block; margin-bottom: .5rem; } nav.contents ul { flex-direction: column; gap: .1rem; }
}
@media print {
  :root { color-scheme: light; --bg: #fff; --card: #fff; }
  body { font-size: 10pt; } .page { max-width: none; padding: 0; } nav.contents, .skip { display: none; } .layout { display: block; }
  section { padding-top: 1.4rem; } .card, figure, tr, .banner { break-inside: avoid; } h2, h3, .label, caption { break-after: avoid; }
  .scroll, pre { overflow: visible; max-height: none; white-space: pre-wrap; } * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
`;
