// The frame of every page that we leave: one file that loads nothing, runs and sends nothing but what is named by its hash, and opens anywhere.

import { createHash } from 'node:crypto'
import { escapeHtml, escapeWords } from './html.ts'
import { STYLE } from './style.ts'

/** What a page is made of. `body` and `data` are HTML already; everything else is text. */
export interface Page {
  title: string
  subtitle?: string | undefined
  /** What tells this page from others of its kind; in small print, and in the title of the window. */
  about?: readonly string[]
  /** Lines between the head of the page and its footer. */
  body: readonly string[]
  footer?: string | undefined
  /** CSS beside that of all pages. */
  style?: string
  /** The page's program, and elements with its data, which come behind the text. */
  script?: string
  data?: readonly string[]
}

/** One HTML document; the same input gives the same bytes. */
export function renderPage({ title, subtitle, about = [], body, footer, style = '', script, data = [] }: Page): string {
  const css = STYLE + style
  const under = subtitle ? `<p class="subtitle">${escapeWords(subtitle)}</p>` : ''
  const which = about.length > 0 ? `<p class="about">${escapeWords(about.join(' · '))}</p>` : ''
  return [
    '<!doctype html>',
    '<html lang="en">',
    '<head>',
    '<meta charset="utf-8">',
    `<meta http-equiv="Content-Security-Policy" content="${contentPolicy(css, script)}">`,
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    '<meta name="referrer" content="no-referrer">',
    '<link rel="icon" href="data:,">',
    `<title>${escapeHtml([title, ...about].join(' · '))}</title>`,
    `<style>${css}</style>`,
    '</head>',
    '<body>',
    '<main>',
    `<header><h1>${escapeWords(title)}</h1>${under}${which}</header>`,
    ...body,
    footer ? `<footer>${escapeWords(footer)}</footer>` : '',
    '</main>',
    ...data,
    ...(script === undefined ? [] : [`<script>${script}</script>`]),
    '</body>',
    '</html>',
    '',
  ].join('\n')
}

/** Whatever a text on the page tries, only the style sheet and the program are allowed, each by its hash. */
function contentPolicy(style: string, script: string | undefined): string {
  const hash = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`
  const scripts = script === undefined ? '' : ` script-src ${hash(script)};`
  return `default-src 'none'; style-src ${hash(style)};${scripts} img-src data:; base-uri 'none'; form-action 'none'`
}
