// Runs of n words of many texts as numbers: the same number for the same run. Exact, and linear in the words whatever n is: a run is the
// pair of its beginning and its end of half the length.

import { cutWords } from '../metrics/cut-words.ts'

/** Texts as numbers of words, one behind another. */
export interface CutTexts {
  /** [words] */
  words: Int32Array
  /** [texts + 1]: where each text begins, and the end of the last. */
  starts: Int32Array
  /** Different words, by their numbers. */
  spelled: readonly string[]
}

/** Runs of n words. */
export interface WordRuns {
  /** [words]: the run that begins at a word; −1 where the text has not so many words left. */
  runs: Int32Array
  /** Different runs, and all. */
  distinct: number
  total: number
}

/** Cuts texts into words (`cutWords`). */
export function cutTexts(texts: readonly string[]): CutTexts {
  const known = new Map<string, number>()
  const starts = new Int32Array(texts.length + 1)
  const words: number[] = []
  for (const [i, text] of texts.entries()) {
    for (const word of cutWords(text)) {
      const id = known.get(word) ?? known.size
      if (id === known.size) known.set(word, id)
      words.push(id)
    }
    starts[i + 1] = words.length
  }
  return { words: Int32Array.from(words), starts, spelled: [...known.keys()] }
}

/** All runs of `n` words. */
export function wordRuns(texts: CutTexts, n: number): WordRuns {
  if (n === 1) return { runs: texts.words, distinct: texts.spelled.length, total: texts.words.length }
  const half = Math.ceil(n / 2)
  const { runs: parts } = wordRuns(texts, half)
  const pairs = new Pairs(texts.words.length)
  const runs = new Int32Array(texts.words.length).fill(-1)
  let total = 0
  for (let text = 0; text + 1 < texts.starts.length; text++)
    for (let at = texts.starts[text]!; at + n <= texts.starts[text + 1]!; at++) {
      runs[at] = pairs.numberOf(parts[at]!, parts[at + n - half]!)
      total++
    }
  return { runs, distinct: pairs.size, total }
}

/** Numbers pairs of numbers from 0 on, in the order in which they come. */
class Pairs {
  readonly #keys: Float64Array
  readonly #numbers: Int32Array
  readonly #last: number
  size = 0

  constructor(most: number) {
    const places = 2 ** Math.ceil(Math.log2(2 * most + 2))
    this.#keys = new Float64Array(places).fill(-1)
    this.#numbers = new Int32Array(places)
    this.#last = places - 1
  }

  numberOf(a: number, b: number): number {
    const key = a * 2 ** 26 + b // exact: fewer than 2^26 words fit into memory with all that is counted of them
    let at = (Math.imul(a, 0x9e3779b1) ^ Math.imul(b, 0x85ebca6b)) >>> 0
    at = (at ^ (at >>> 15)) & this.#last
    while (this.#keys[at] !== key) {
      if (this.#keys[at] === -1) {
        this.#keys[at] = key
        this.#numbers[at] = this.size++
        break
      }
      at = (at + 1) & this.#last
    }
    return this.#numbers[at]!
  }
}
