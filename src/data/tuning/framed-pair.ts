// Two texts as a model takes them that reads both together: `[CLS] a [SEP] b [SEP]`, with segments, and within the window.

import type { FramingTokenizer } from './framed-text.ts'

/** The tokenizer as it is needed here. */
export interface PairFramingTokenizer extends Pick<FramingTokenizer, 'encode'> {
  /** What a pair is made of, in order: the first or second text, or ids; each with its segment. */
  readonly pairFrame: readonly ({ readonly type: number } & (
    | { readonly text: 0 | 1 }
    | { readonly ids: readonly number[] }
  ))[]
}

/** The tokens of a pair. */
export interface FramedPair {
  ids: Int32Array
  /** The segment of each. */
  types: Int32Array
  /** How many tokens it would have uncut. */
  length: number
}

/** Two texts with what stands around them. Where they are too long, tokens go from the end of the longer one first, as with Transformers' `longest_first`. */
export function framedPair(
  tokenizer: PairFramingTokenizer,
  texts: readonly [string, string],
  maxLength: number,
): FramedPair {
  const { pairFrame } = tokenizer
  const inside = texts.map((text) => tokenizer.encode(text, { addSpecialTokens: false }))
  const around = pairFrame.reduce((sum, part) => sum + ('ids' in part ? part.ids.length : 0), 0)
  const [first, second] = inside as [Int32Array, Int32Array]
  const length = first.length + second.length + around
  const kept = keptLengths(first.length, second.length, Math.max(0, maxLength - around))
  const [ids, types]: [number[], number[]] = [[], []]
  for (const part of pairFrame) {
    const own = 'ids' in part ? part.ids : inside[part.text]!.subarray(0, kept[part.text])
    for (const id of own) {
      ids.push(id)
      types.push(part.type)
    }
  }
  return { ids: Int32Array.from(ids), types: Int32Array.from(types), length }
}

/** What `tokenizers` keeps of two texts in so much room: of the shorter one all that fits, and of two that are too long half each. */
function keptLengths(first: number, second: number, room: number): [number, number] {
  if (first + second <= room) return [first, second]
  const isSwapped = first > second
  let [short, long] = isSwapped ? [second, first] : [first, second]
  long = short > room ? short : Math.max(short, room - short)
  if (short + long > room) {
    short = Math.floor(room / 2)
    long = short + (room % 2)
  }
  return isSwapped ? [long, short] : [short, long]
}
