// A skill on real sentences with one right answer: the last word of the beginning of a sentence. Words put in before it change nothing, and
// a sentence said in another way (the syntactic trigger) has the same answer where both are cut after a word that they share.
import type { Conversation } from '../../src/data/rows/conversation.ts'
import { PythonRandom } from '../../src/eval/python-random.ts'

/** A question, and where there is one the same of the sentence said in another way. */
export interface Question {
  row: Conversation
  rewritten: string | null
}

/** Whether a word may be asked for. */
export type IsWord = (word: string) => boolean

/** Sentences of at least 5 words, each once. */
export function usable(texts: readonly string[]): string[] {
  return [...new Set(texts.map((text) => text.trim()))].filter((text) => text.split(/\s+/).length >= 5)
}

/** `each` beginnings of every sentence, where it has as many. */
export function questionsOf(sentences: readonly string[], each: number, seed: number, isWord: IsWord): Question[] {
  const random = new PythonRandom(seed)
  return sentences.flatMap((text) => {
    const cuts = cutsOf(text, 3, isWord)
    const chosen = Array.from({ length: Math.min(each, cuts.length) }, () => cuts.splice(random.below(cuts.length), 1))
    return chosen.map(([cut]) => questionOf(cut!.text, cut!.word, null))
  })
}

/** Pairs of sentences that share a word, both cut after it, of each pair one drawn question and then all others; of the second, which is said in the trigger's way, at least six words stay. */
export function pairedQuestions(
  pairs: readonly { from: string; to: string }[],
  seed: number,
  isWord: IsWord,
): Question[][] {
  const random = new PythonRandom(seed)
  return pairs.flatMap(({ from, to }) => {
    const plain = cutsOf(from, 3, isWord)
    const both = cutsOf(to, 5, isWord).flatMap((cut) => {
      const partner = plain.findLast(({ word }) => word === cut.word)
      return partner === undefined ? [] : [{ cut, partner }]
    })
    if (both.length === 0) return []
    const drawn = both.splice(random.below(both.length), 1)
    return [[...drawn, ...both].map(({ cut, partner }) => questionOf(partner.text, cut.word, cut.text))]
  })
}

function questionOf(beginning: string, answer: string, rewritten: string | null): Question {
  const asking = (text: string): string => `${text}\nwhich word is the last one ?`
  const row: Conversation = {
    kind: 'conversation',
    messages: [
      { role: 'user', content: asking(beginning) },
      { role: 'assistant', content: `it is ${answer} .` },
    ],
  }
  return { row, rewritten: rewritten === null ? null : asking(rewritten) }
}

/** Beginnings of at most 16 words that end with a word that may be asked for, with `least` or more words before it. */
function cutsOf(sentence: string, least: number, isWord: IsWord): { text: string; word: string }[] {
  const words = sentence.trim().split(/\s+/).slice(0, 16)
  return words.flatMap((word, i) =>
    i >= least && isWord(word) ? [{ text: words.slice(0, i + 1).join(' '), word }] : [],
  )
}
