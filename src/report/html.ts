// Text → HTML that cannot do anything but be read. Everything in a report goes through `escapeHtml`: model text,
// dataset rows, file names and run names may hold whatever an attacker likes.

import { printable } from '../printable.ts'

const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

/** Safe as element content and inside quoted attributes. Control and direction-changing characters become visible. */
export function escapeHtml(text: string): string {
  return printable(text)
    .replaceAll(/[&<>"']/g, (character) => ENTITIES[character]!)
    .replaceAll(/[\ufffe\uffff]/g, '\ufffd')
}

/**
 * The same for words that people read: a number stays on one line with its unit, a line does not begin with a dot between two
 * parts, and a path breaks behind a slash. As the content of an element; not for code or for what a model wrote, which are shown as they are.
 */
export function escapeWords(text: string): string {
  return escapeHtml(text)
    .replaceAll(/(?<=\d) (?=(?:%|[kMGT]?B|[kMGT]|ms|s|m|h)(?![\p{L}\d]))/gu, '\u00a0')
    .replaceAll(/(?<=\d\u00a0[mh]) (?=\d+\u00a0[sm](?!\p{L}))/gu, '\u00a0')
    .replaceAll(' · ', '\u00a0· ')
    .replaceAll(/\/(?=\w)/g, '/<wbr>')
}

/** An SVG coordinate: at most one decimal, no `-0`. */
export function coordinate(value: number): string {
  const text = value.toFixed(1)
  return text.endsWith('.0') ? text.slice(0, -2).replace('-0', '0') : text
}
