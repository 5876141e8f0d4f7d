// Texts that spell control tokens, such as rows that a chat template has rendered before. As a stranger's words they end nothing, so
// they are read as text; where the whole text is the template's that is the wrong reading, and nothing else would show it.

/** How many texts spell control tokens, and the first such token. */
export interface Spelled {
  readonly count: number
  readonly first: string
}

/** Counts texts in which control tokens are spelled. */
export class SpelledTally {
  private readonly pattern: RegExp | undefined
  private count = 0
  private first = ''

  constructor(controlTokens: ReadonlySet<string>) {
    const escaped = [...controlTokens]
      .filter((token) => token !== '')
      .sort((a, b) => b.length - a.length)
      .map((token) => token.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'))
    this.pattern = escaped.length === 0 ? undefined : new RegExp(escaped.join('|'))
  }

  add(text: string): void {
    const found = this.pattern?.exec(text)
    if (found === undefined || found === null) return
    if (this.count++ === 0) this.first = found[0]
  }

  found(): Spelled {
    return { count: this.count, first: this.first }
  }
}

/** What to tell people of texts that spell control tokens; nothing where there are none. */
export function spelledNotices({ count, first }: Spelled, areRead = false): string[] {
  if (count === 0) return []
  const texts = `${count.toLocaleString('en')} ${count === 1 ? 'text spells' : 'texts spell'} control tokens such as ${first}`
  return [
    areRead
      ? `${texts}, which are read as these tokens, as split_special_tokens: false says`
      : `${texts}, which are read and learnt as plain text. If a chat template has rendered them, give split_special_tokens: false`,
  ]
}
