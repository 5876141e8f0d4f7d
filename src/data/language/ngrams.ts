// A text → the hashed features that tell languages apart: character 1- to 5-grams inside words, whole words and pairs of words.

/** What is left of a text before features are made: lower case, no addresses, names of accounts or digits, one blank between words. */
export function lettersOf(text: string): string {
  return text
    .normalize('NFC')
    .replace(/https?:\/\/\S+|www\.\S+|\S+@\S+\.\S+|[@#][\p{L}\p{N}_]+/gu, ' ')
    .toLowerCase()
    .replace(/[^\p{L}\p{M}'’]+/gu, ' ')
    .replaceAll('’', "'")
    .trim()
}

/** A longer word is a run of signs without blanks (Chinese, Thai, a file's name): it has n-grams, but is no word to be known again. */
const LONGEST_WORD = 30
const LONGEST_NGRAM = 5

/**
 * The features of a text that `lettersOf` made, as indices into a table of 2^`bits` rows, in `into`, which grows.
 * A word stands between blanks, so ` da ` has the 4-gram that begins and ends it.
 */
export function featuresOf(letters: string, bits: number, into: Features): Features {
  const mask = 2 ** bits - 1
  into.length = 0
  if (letters === '') return into
  let previous = 0
  for (const word of letters.split(' ')) {
    const padded = ` ${word} `
    for (let start = 0; start < padded.length; start++) {
      let hash = 0x811c9dc5
      const end = Math.min(padded.length, start + LONGEST_NGRAM)
      for (let i = start; i < end; i++) {
        hash = Math.imul(hash ^ padded.charCodeAt(i), 0x01000193)
        // A lone blank says only that there are words.
        if (i > start || padded.charCodeAt(i) !== 32) into.push(mix(hash) & mask)
      }
    }
    if (padded.length > LONGEST_WORD) {
      previous = 0
      continue
    }
    const own = hashOf(word)
    into.push(mix(own ^ WORD) & mask)
    if (previous !== 0) into.push(mix(Math.imul(previous, 31) ^ own ^ PAIR) & mask)
    previous = own
  }
  return into
}

const WORD = 0x5bd1e995
const PAIR = 0x27d4eb2f

/** Indices in a buffer that is used again for the next text. */
export class Features {
  ids: Int32Array = new Int32Array(1024)
  length = 0

  push(id: number): void {
    if (this.length === this.ids.length) {
      const longer = new Int32Array(2 * this.length)
      longer.set(this.ids)
      this.ids = longer
    }
    this.ids[this.length++] = id
  }
}

/** FNV-1a over UTF-16 units; never 0, which stands for "no word before". */
function hashOf(word: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < word.length; i++) hash = Math.imul(hash ^ word.charCodeAt(i), 0x01000193)
  return hash | 1
}

/** MurmurHash3's finaliser: FNV's low bits alone are no good hash. */
function mix(value: number): number {
  let x = Math.imul(value ^ (value >>> 16), 0x85ebca6b)
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35)
  return x ^ (x >>> 16)
}
