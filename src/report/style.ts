// The style sheet of a report. Light and dark follow the reader's system; colours are those of Okabe and Ito,
// told apart by all common kinds of colour vision, darkened or lightened until they read on the background.

/** CSS text, put inline. The page's security policy allows this text alone, by its hash. */
export const STYLE: string = `
:root {
  color-scheme: light dark;
  --fixed: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace;
  --paper: #fcfbf9; --card: #fff; --ink: #1d1f23; --soft: #5d626b; --line: #e4e1da; --grid: #edebe5; --shade: #0003;
  --s1: #0068a8; --s2: #c84f00; --s3: #00805c; --s4: #a2418f; --s5: #a06c00; --s6: #5c6670;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14161a; --card: #1b1e23; --ink: #e9e7e3; --soft: #a0a5ae; --line: #2f343b; --grid: #282c33; --shade: #fff3;
    --s1: #62b8ec; --s2: #f58d4e; --s3: #3cc99b; --s4: #dd93cb; --s5: #e3b341; --s6: #aab2bc;
  }
}
.s1 { --c: var(--s1) } .s2 { --c: var(--s2) } .s3 { --c: var(--s3) }
.s4 { --c: var(--s4) } .s5 { --c: var(--s5) } .s6 { --c: var(--s6) }
* { box-sizing: border-box }
body {
  margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.6 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Helvetica Neue", "DejaVu Sans", sans-serif;
  font-variant-numeric: tabular-nums; -webkit-text-size-adjust: 100%;
}
main { max-width: 880px; margin: 0 auto; padding: 56px 24px 40px }
header { margin-bottom: 40px }
h1 { font-size: 34px; line-height: 1.2; letter-spacing: -.02em; margin: 0; text-wrap: balance; overflow-wrap: anywhere }
.subtitle { color: var(--soft); font-size: 18px; margin: 10px 0 0; max-width: 62ch; overflow-wrap: anywhere }
.about { color: var(--soft); font-size: 13px; margin: 8px 0 0 }
section { margin-top: 56px }
h2 { font-size: 22px; line-height: 1.3; letter-spacing: -.012em; margin: 0 0 6px; overflow-wrap: anywhere }
h3 { font-size: 15px; line-height: 1.4; font-weight: 600; margin: 0; overflow-wrap: anywhere }
p { margin: 0 0 12px; max-width: 68ch; overflow-wrap: anywhere }
.lead, .note, .unit, footer { color: var(--soft) }
.note { font-size: 14px; margin: 10px 0 0 }
.unit { font-size: 13px; margin: 0 } .unit.end { text-align: right; max-width: none }
.figures { display: flex; flex-wrap: wrap; gap: 1px; margin: 24px 0;
  background: var(--line); border: 1px solid var(--line); border-radius: 10px; overflow: hidden }
${[1, 2, 3, 4, 5].map((n) => `.wide${n} div { flex: 1 1 calc(${Math.floor(10_000 / n) / 100}% - 1px) }`).join(' ')}
.figures div { min-width: 0; background: var(--card); padding: 16px 20px 18px }
.figures dt { color: var(--soft); font-size: 13px }
.figures dd { margin: 0; overflow-wrap: anywhere }
.figures .number { white-space: nowrap; overflow-wrap: normal; overflow-x: auto; font-size: 27px; line-height: 1.3; font-weight: 600; letter-spacing: -.02em }
.figures .detail { color: var(--soft); font-size: 13px; line-height: 1.4 }
figure { margin: 24px 0; padding: 18px 20px 14px; background: var(--card); border: 1px solid var(--line); border-radius: 10px }
figcaption { display: flex; flex-wrap: wrap; align-items: baseline; justify-content: space-between; gap: 4px 24px; margin-bottom: 10px }
.legend { display: flex; flex-wrap: wrap; gap: 2px 18px; list-style: none; margin: 0; padding: 0; font-size: 13px; color: var(--soft) }
.legend svg { width: 22px; height: 12px; margin-right: 7px; vertical-align: -1px }
/* A shadow at an edge says that there is more behind it; the covers scroll with the table and hide it at the end. */
.scroll { overflow-x: auto; margin: 20px 0; background:
  linear-gradient(to right, var(--paper) 50%, transparent) 0 0 / 40px 100% local no-repeat,
  linear-gradient(to left, var(--paper) 50%, transparent) 100% 0 / 40px 100% local no-repeat,
  linear-gradient(to right, var(--shade), transparent) 0 0 / 14px 100% scroll no-repeat,
  linear-gradient(to left, var(--shade), transparent) 100% 0 / 14px 100% scroll no-repeat }
.area { padding: 4px 2px 0 0 }
${Array.from({ length: 12 }, (_, i) => `.y${i + 1} { padding-left: ${Math.round((i + 1) * 6.9 + 10)}px }`).join('\n')}
.plot, .bars svg { display: block; width: 100%; overflow: visible }
.lines, .box { overflow: visible }
.plot text { font-size: 12px; fill: var(--soft) }
.plot .end { text-anchor: end } .plot .middle { text-anchor: middle }
.plot .name { fill: var(--ink); paint-order: stroke; stroke: var(--card); stroke-width: 4px; stroke-linejoin: round }
.coarse { display: none }
.grid { stroke: var(--grid); fill: none } .axis, .zero { stroke: var(--soft); stroke-opacity: .55; fill: none }
.series path { fill: none; stroke: var(--c); stroke-width: 2; stroke-linejoin: round; stroke-linecap: round; vector-effect: non-scaling-stroke }
.series circle { fill: var(--c) }
.series.faint path { stroke-width: 1; stroke-opacity: .38 } .series.faint circle { fill-opacity: .38 } .legend .faint path { stroke-width: 2; stroke-opacity: .5 }
.series.marked circle { stroke: var(--card); stroke-width: 1.5 }
.series.dots circle { stroke: var(--card); stroke-width: .75 }
.s3.line path { stroke-dasharray: 7 4 } .s4.line path { stroke-dasharray: 2 4 }
.s5.line path { stroke-dasharray: 9 3 2 3 }
.mark line { stroke: var(--ink); stroke-opacity: .6; stroke-dasharray: 2 3; fill: none }
.mark text { fill: var(--ink); paint-order: stroke; stroke: var(--card); stroke-width: 5px; stroke-linejoin: round }
.bars { display: grid; grid-template-columns: max-content minmax(80px, 1fr) max-content; gap: 14px 12px; align-items: center; font-size: 13px; padding: 6px 0 }
.bars .track { height: 18px } .bars .value { white-space: nowrap }
.bars.many { gap: 4px 12px; font-size: 12px; line-height: 1.2 } .bars.many .track { height: 11px }
.bars .name { text-align: right; max-width: 34ch; overflow-wrap: anywhere }
.bar { fill: var(--c) } .bar.other { fill: var(--soft); fill-opacity: .42 }
.catch { fill: transparent; pointer-events: all } .tip { visibility: hidden; pointer-events: none }
.hit:hover .tip { visibility: visible }
.guide { stroke: var(--soft); stroke-opacity: .5; stroke-dasharray: 3 3 }
.tip circle { fill: var(--c); stroke: var(--card); stroke-width: 1.5 }
.tip rect { fill: var(--paper); stroke: var(--line) } .tip text { fill: var(--ink) }
table { border-collapse: collapse; width: 100%; font-size: 14px }
caption { text-align: left; font-weight: 600; font-size: 15px; padding-bottom: 6px }
caption span { display: inline-block; position: sticky; left: 0; max-width: calc(100vw - 32px) }
th, td { text-align: left; vertical-align: top; padding: 8px 20px 8px 0; border-bottom: 1px solid var(--line); overflow-wrap: break-word }
th { color: var(--soft); font-weight: 500; white-space: nowrap }
th.number, td.number { text-align: right; overflow-wrap: normal } td.number { white-space: nowrap } th:last-child, td:last-child { padding-right: 0 }
.samples { list-style: none; margin: 20px 0; padding: 0 }
.samples li { display: grid; grid-template-columns: 92px 1fr; gap: 20px; padding: 14px 0; border-top: 1px solid var(--line) }
.samples .when { color: var(--soft); font-size: 13px; padding-top: 3px; overflow-wrap: anywhere }
blockquote { margin: 0; font: 16px/1.6 "Iowan Old Style", Charter, Georgia, "Noto Serif", "DejaVu Serif", serif;
  white-space: pre-wrap; overflow-wrap: anywhere; unicode-bidi: isolate }
blockquote b { font-weight: 600; color: var(--s1) }
blockquote.code { font: 13px/1.6 var(--fixed) } blockquote.code b { font-weight: 400 }
p code, td code, li code { font: .9em var(--fixed); overflow-wrap: anywhere }
.commands { margin: 20px 0; padding: 16px 20px; background: var(--card); border: 1px solid var(--line); border-radius: 10px;
  white-space: pre-wrap; overflow-wrap: anywhere; font: 14px/1.6 var(--fixed) }
.commands code { display: block; font: inherit; padding: 3px 0 3px 2ch; text-indent: -2ch } .commands span { display: inline-block; max-width: 100%; text-indent: 0 }
details { margin: 20px 0; background: var(--card); border: 1px solid var(--line); border-radius: 10px }
summary { padding: 12px 20px; cursor: pointer; font-size: 15px; font-weight: 600 }
details pre { margin: 0; padding: 4px 20px 16px; overflow-x: auto; font: 13px/1.7 var(--fixed) }
footer { margin-top: 64px; padding-top: 16px; border-top: 1px solid var(--line); font-size: 13px }
@media (max-width: 560px) {
  main { padding: 32px 16px } h1 { font-size: 27px } figure { padding: 14px 12px 10px }
  ${[1, 2, 3].map((n) => `.mid${n} div { flex-basis: calc(${Math.floor(10_000 / n) / 100}% - 1px) }`).join(' ')}
  .figures div { padding: 14px 14px 16px } .figures .number { font-size: 24px }
  .commands { padding: 12px }
  .samples li { grid-template-columns: 1fr; gap: 2px }
  .fine { display: none } .coarse { display: inline }
  .bars { grid-template-columns: minmax(0, 1fr) max-content; gap: 4px 12px } .bars .name { grid-column: 1 / -1; text-align: left; max-width: none; margin-top: 6px }
  .bars.many { grid-template-columns: max-content minmax(80px, 1fr) max-content; gap: 4px 8px } .bars.many .name { grid-column: auto; margin: 0 }
  th { white-space: normal } th, td { padding-right: 12px } table { font-size: 13px }
}
@media (max-width: 420px) {
  .mid3 div { flex-basis: calc(50% - 1px) }
}
@media print {
  :root { --paper: #fff; --card: #fff; --ink: #000; --soft: #4a4f57; --line: #ccc; --grid: #e8e8e8; --shade: transparent;
    --s1: #0068a8; --s2: #c84f00; --s3: #00805c; --s4: #a2418f; --s5: #a06c00; --s6: #5c6670 }
  main { max-width: none; padding: 0 } section { margin-top: 32px }
  figure, .figures, .samples li, tr { break-inside: avoid } h2, h3 { break-after: avoid }
  details pre { white-space: pre-wrap; overflow-wrap: anywhere }
  body { print-color-adjust: exact; -webkit-print-color-adjust: exact }
}
`
