// Colour where there is a terminal to show it. NO_COLOR turns it off, FORCE_COLOR on (https://no-color.org, https://force-color.org).

export type Look = 'title' | 'error' | 'notice' | 'good' | 'quiet' | 'bar'

/** Gives a text its look; the text has been made printable before. */
export type Paint = (look: Look, text: string) => string

// The sixteen colours that every terminal has, in the shades of its own theme.
const CODES: Readonly<Record<Look, string>> = {
  title: '1',
  error: '1;31',
  notice: '33',
  good: '32',
  quiet: '2',
  bar: '36',
}

/** How texts are painted on this stream; as they are where it shows no colours. */
export function paintFor(stream: { isTTY?: boolean }, environment: NodeJS.ProcessEnv = process.env): Paint {
  return hasColours(stream, environment)
    ? (look, text) => (text === '' ? '' : `\u001b[${CODES[look]}m${text}\u001b[0m`)
    : (_look, text) => text
}

function hasColours(stream: { isTTY?: boolean }, { FORCE_COLOR, NO_COLOR, TERM }: NodeJS.ProcessEnv): boolean {
  if (FORCE_COLOR) return FORCE_COLOR !== '0' && FORCE_COLOR !== 'false'
  return !NO_COLOR && TERM !== 'dumb' && stream.isTTY === true
}

/** A line for people: what it begins with says how grave it is; ⟦ and ⟧ are around what is learnt. */
export function paintLine(paint: Paint, line: string): string {
  return line
    .replace(/^(?:error|notice|warning):/, (word) => paint(word === 'error:' ? 'error' : 'notice', word))
    .replaceAll(/⟦[^⟧]*⟧/g, (learnt) => paint('good', learnt))
}
