// Texts as a model that reads both ways takes them: the tokenizer's own tokens around each, and within the window.

/** The tokenizer as it is needed here. */
export interface FramingTokenizer {
  encode(text: string, options?: { addSpecialTokens?: boolean; allowSpecial?: boolean }): Int32Array
  /** What stands before and after a text, such as `[CLS]` and `[SEP]`. */
  readonly frame: { readonly before: readonly number[]; readonly after: readonly number[] }
}

/** The ids of a text that is cut to `maxLength` tokens with what stands around it; and how many it would have. */
export function framedText(
  tokenizer: FramingTokenizer,
  text: string,
  maxLength: number,
): { ids: Int32Array; length: number } {
  const { before, after } = tokenizer.frame
  const inside = tokenizer.encode(text, { addSpecialTokens: false })
  const length = before.length + inside.length + after.length
  return { ids: framed(tokenizer, inside.subarray(0, roomFor(tokenizer, maxLength))), length }
}

/** The ids of a long text in pieces of at most `maxLength` tokens, each with what stands around a text. */
export function framedPieces(tokenizer: FramingTokenizer, text: string, maxLength: number): Int32Array[] {
  const room = roomFor(tokenizer, maxLength)
  const inside = tokenizer.encode(text, { addSpecialTokens: false })
  const count = Math.ceil(inside.length / room)
  return Array.from({ length: count }, (_, i) => framed(tokenizer, inside.subarray(i * room, (i + 1) * room)))
}

function framed({ frame: { before, after } }: FramingTokenizer, inside: Int32Array): Int32Array {
  return Int32Array.from([...before, ...inside, ...after])
}

function roomFor({ frame: { before, after } }: FramingTokenizer, maxLength: number): number {
  return Math.max(1, maxLength - before.length - after.length)
}
