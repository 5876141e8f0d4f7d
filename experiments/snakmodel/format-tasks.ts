// Tasks that only a fixed form can ask for: what stands where in a sentence, and which mark ends it. The form is the same in both languages,
// so that what is measured is whether the model still answers in it.

import { PythonRandom } from '../../src/eval/python-random.ts'
import type { Engine } from '../../src/infer/engine.ts'

export interface FormatItem {
  prompt: string
  answer: string
}

const KINDS = ['first', 'last', 'mark'] as const
const MARKS = ['.', '?', '!']
const NAMES: Readonly<Record<string, string>> = { '.': 'stop', '?': 'ask', '!': 'call' }

/** Sentences of 3 to 12 words from texts. */
function sentencesOf(texts: readonly string[]): string[] {
  return texts.flatMap((text) =>
    (text.match(/[^.?!\n]+[.?!](?=\s|$)/gu) ?? [])
      .map((sentence) => sentence.trim())
      .filter((sentence) => /^\p{Lu}[\p{L}\p{N} ,'’]+[.?!]$/u.test(sentence))
      .filter((sentence) => {
        const words = sentence.split(/\s+/).length
        return words >= 3 && words <= 12 && sentence.length <= 80
      }),
  )
}

/** `count` items drawn under the seed, as many of each kind; marks are drawn evenly, as far as there are sentences with each. */
export function formatItems(texts: readonly string[], count: number, seed: number): FormatItem[] {
  const random = new PythonRandom(seed)
  const sentences = sentencesOf(texts)
  const byMark = MARKS.map((mark) => sentences.filter((sentence) => sentence.endsWith(mark))).filter(
    (list) => list.length > 0,
  )
  if (byMark.length === 0) throw new Error('format tasks: expected sentences of 3 to 12 words, got none')
  return Array.from({ length: count }, (_, i) => {
    const kind = KINDS[i % KINDS.length]!
    const list = byMark[random.below(byMark.length)]!
    return itemOf(kind, list[random.below(list.length)]!)
  })
}

function itemOf(kind: (typeof KINDS)[number], sentence: string): FormatItem {
  const words = sentence.slice(0, -1).split(/[\s,]+/)
  const answer = kind === 'mark' ? NAMES[sentence.at(-1)!]! : words.at(kind === 'first' ? 0 : -1)!
  return { prompt: `[${kind}] ${sentence}\n=`, answer }
}

/** As it stands in training data. */
export const written = ({ prompt, answer }: FormatItem): string => `${prompt} ${answer}\n`

/** Share of items whose answer the model gives, word for word. */
export async function exactMatch(engine: Engine, items: readonly FormatItem[]): Promise<number> {
  const answers = await engine.generateAll(
    items.map(({ prompt }) => ({ prompt, temperature: 0, maxNewTokens: 16, stop: ['\n'] })),
  )
  const right = answers.filter(({ text }, i) => text.trim() === items[i]!.answer).length
  return right / items.length
}
