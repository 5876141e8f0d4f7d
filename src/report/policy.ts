// What a page may do: nothing is loaded, nothing runs and nothing is sent but the style sheet and the program that are named by their hashes.

import { createHash } from 'node:crypto'

/** The content of the page's Content-Security-Policy. Whatever a text tries, only these two are allowed. */
export function contentPolicy({ style, script }: { style: string; script?: string }): string {
  const hash = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`
  const scripts = script === undefined ? '' : ` script-src ${hash(script)};`
  return `default-src 'none'; style-src ${hash(style)};${scripts} img-src data:; base-uri 'none'; form-action 'none'`
}
