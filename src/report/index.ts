// The subpath `anneal/report`: pages in one file, with charts as inline SVG. Nothing here needs LibTorch.
export type { BarChart } from './bar-chart.ts'
export type { KeyFigure, Table, TextSample } from './blocks.ts'
export { type Report, type ReportBlock, type ReportSection, renderReport } from './report.ts'
export { type Point, type Series, smoothed } from './series.ts'
export type { Mark, XyChart } from './xy-chart.ts'
