// The blocks of a report that are not plots: key figures, prose, tables, text samples, commands.

import { escapeHtml } from './html.ts'
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

/** Big numbers side by side. */
export function renderKeyFigures(figures: readonly KeyFigure[]): string {
  const items = figures.map(({ label, value, detail }) => {
    const remark = detail ? `<dd class="detail">${escapeHtml(detail)}</dd>` : ''
    return `<div><dt>${escapeHtml(label)}</dt><dd class="number">${escapeHtml(value)}</dd>${remark}</div>`
  })
  return `<dl class="figures">${items.join('')}</dl>`
}

/** Paragraphs; an empty line starts a new one, and `…` is code. */
export function renderProse(text: string): string {
  const paragraphs = text.split(/\n\s*\n/).filter((paragraph) => paragraph.trim() !== '')
  return paragraphs.map((paragraph) => `<p>${withCode(paragraph.trim())}</p>`).join('')
}

/** A table; a column is numeric if all its cells are numbers or empty. */
export function renderTable({ caption, columns, rows }: Table): string {
  const isNumeric = columns.map((_, index) => rows.every((row) => typeof (row[index] ?? 0) === 'number'))
  const attribute = (index: number): string => (isNumeric[index] ? ' class="number"' : '')
  const head = columns.map((name, index) => `<th scope="col"${attribute(index)}>${escapeHtml(name)}</th>`)
  const body = rows.map((row) => {
    const cells = columns.map((_, index) => `<td${attribute(index)}>${cellText(row[index] ?? null)}</td>`)
    return `<tr>${cells.join('')}</tr>`
  })
  const title = caption ? `<caption>${escapeHtml(caption)}</caption>` : ''
  return `<div class="scroll"><table>${title}<thead><tr>${head.join('')}</tr></thead><tbody>${body.join('')}</tbody></table></div>`
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
  return `<pre class="commands">${lines.map((line) => `<code>${escapeHtml(line)}</code>`).join('\n')}</pre>`
}

/** Plain text that is shown when its title is clicked. */
export function renderFolded({ title, text }: { title: string; text: string }): string {
  return `<details><summary>${escapeHtml(title)}</summary><pre>${escapeHtml(text)}</pre></details>`
}

/** Escaped, with what stands between backticks as code. */
export function withCode(text: string): string {
  return escapeHtml(text).replaceAll(/`([^`\n]+)`/g, '<code>$1</code>')
}

function cellText(value: string | number | null): string {
  return typeof value === 'number' ? formatNumber(value) : escapeHtml(value ?? '')
}
