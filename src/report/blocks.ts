// The blocks of a report that are not plots: key figures, prose, tables, text samples, commands.

import { escapeHtml, escapeWords } from './html.ts'
import { formatNumber } from './scale.ts'

/** A number that answers a question at a glance, with its name and a word of context. */
export interface KeyFigure {
  label: string
  value: string
  /** A short remark below, such as what it is compared to. */
  detail?: string
}

/** Rows that people compare; all have as many cells as there are columns. */
export interface Table {
  caption?: string
  columns: readonly string[]
  /** Numbers are right-aligned and shortened; text stays as it is. `null` is an empty cell. */
  rows: readonly (readonly (string | number | null)[])[]
}

/** What a model made of a prompt. */
export interface TextSample {
  /** Where it comes from: `step 200`, `before`. */
  label: string
  prompt?: string
  text: string
  /** Code rather than prose: in a fixed font. */
  isCode?: boolean
}

/** Numbers of this shape are columns of figures, whatever unit is behind them. */
const FIGURE = /^(?:(?: → )?(?:< )?[-−+]?(?:\d[\d.,]*|–)(?:e-?\d+)?(?: ?(?:%|\p{L}{1,3}))?)*$/u
/** Text as short as this is not broken in a table. */
const SHORT_CELL = 12

/** Big numbers side by side, in rows as equal as can be: no row holds a single one while another holds more than two. */
export function renderKeyFigures(figures: readonly KeyFigure[]): string {
  const items = figures.map(({ label, value, detail }) => {
    const remark = detail ? `<dd class="detail">${escapeWords(detail)}</dd>` : ''
    return `<div><dt>${escapeWords(label)}</dt><dd class="number">${escapeWords(value)}</dd>${remark}</div>`
  })
  const inRowsOf = (most: number): number => {
    const count = Math.ceil(figures.length / Math.max(1, Math.ceil(figures.length / most)))
    return count > 2 && figures.length % count === 1 ? count - 1 : count
  }
  return `<dl class="figures wide${inRowsOf(5)} mid${inRowsOf(3)}">${items.join('')}</dl>`
}

/** Paragraphs; an empty line starts a new one, and `…` is code. */
export function renderProse(text: string): string {
  const paragraphs = text.split(/\n\s*\n/).filter((paragraph) => paragraph.trim() !== '')
  return paragraphs.map((paragraph) => `<p>${withCode(paragraph.trim())}</p>`).join('')
}

/** A table. The first column names the rows; another is aligned as numbers if all its cells are figures or empty. */
export function renderTable({ caption, columns, rows }: Table): string {
  const isFigure = (cell: string | number | null | undefined): boolean => typeof cell !== 'string' || FIGURE.test(cell)
  const isNumeric = columns.map((_, index) => index > 0 && rows.every((row) => isFigure(row[index])))
  const attribute = (index: number): string => (isNumeric[index] ? ' class="number"' : '')
  const head = columns.map((name, index) => `<th scope="col"${attribute(index)}>${escapeWords(name)}</th>`)
  const body = rows.map((row) => {
    const cells = columns.map((_, index) => `<td${attribute(index)}>${cellText(row[index] ?? null)}</td>`)
    return `<tr>${cells.join('')}</tr>`
  })
  const title = caption ? `<caption><span>${escapeWords(caption)}</span></caption>` : ''
  // Columns that need no names get no empty row for them.
  const names = columns.every((name) => name === '') ? '' : `<thead><tr>${head.join('')}</tr></thead>`
  return `<div class="scroll"><table>${title}${names}<tbody>${body.join('')}</tbody></table></div>`
}

/** What the model wrote, one below the other; the prompt is set apart from the continuation. */
export function renderSamples(samples: readonly TextSample[]): string {
  const items = samples.map(({ label, prompt, text, isCode }) => {
    const start = prompt ? `<b>${escapeHtml(prompt)}</b>` : ''
    const written = `<blockquote${isCode ? ' class="code" dir="ltr"' : ' dir="auto"'}>${start}${escapeHtml(text)}</blockquote>`
    return `<li><span class="when">${escapeHtml(label)}</span>${written}</li>`
  })
  return `<ol class="samples">${items.join('')}</ol>`
}

/** Lines to type in a terminal. */
export function renderCommands(lines: readonly string[]): string {
  // Words stay whole where they can: a break inside `--model` would read as two options.
  const words = (line: string): string => line.replaceAll(/\S+/g, (word) => `<span>${escapeHtml(word)}</span>`)
  return `<pre class="commands">${lines.map((line) => `<code>${words(line)}</code>`).join('')}</pre>`
}

/** Plain text that is shown when its title is clicked. */
export function renderFolded({ title, text }: { title: string; text: string }): string {
  return `<details><summary>${escapeWords(title)}</summary><pre>${escapeHtml(text)}</pre></details>`
}

/** Escaped, with what stands between backticks as code. */
export function withCode(text: string): string {
  const parts = text.split(/`([^`\n]+)`/)
  return parts.map((part, index) => (index % 2 === 0 ? escapeWords(part) : `<code>${escapeHtml(part)}</code>`)).join('')
}

function cellText(value: string | number | null): string {
  if (typeof value === 'number') return formatNumber(value)
  const text = value ?? ''
  return text.length <= SHORT_CELL ? escapeHtml(text.replaceAll(' ', '\u00a0')) : escapeWords(text)
}
