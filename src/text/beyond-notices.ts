// What to tell people whose tokenizer has tokens that their model knows nothing of.
import type { Tokenizer } from './tokenizer.ts'

const SHOWN = 3

/** Names the tokens beyond the rows of the model that the tokenizer was fitted to (`Tokenizer.fit`); nothing where there are none. */
export function beyondNotices({ beyond }: Pick<Tokenizer, 'beyond'>): string[] {
  if (beyond.length === 0) return []
  const names = beyond.slice(0, SHOWN).map((token) => JSON.stringify(token))
  const list = `${names.join(', ')}${beyond.length > SHOWN ? `, … (${beyond.length})` : ''}`
  return [
    `the model has no rows for ${list} of its tokenizer: text with ${beyond.length === 1 ? 'it' : 'them'} is refused`,
  ]
}
