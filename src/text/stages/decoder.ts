// From ids back to text. Every token stands for some bytes, whatever the tokenizer's kind, and text is those bytes read as
// UTF-8. So decoding and streaming are one thing: a stream never shows half a character because a UTF-8 decoder does not.

import { fromByteLevel } from './byte-level.ts'
import { nestedStages, type StageConfig, textField, unknownStage } from './stage-config.ts'

/** How the tokens of one tokenizer become bytes. */
export interface TokenBytes {
  /** The bytes of a token; `isFirst` for the first one of a text. */
  readonly of: (token: string, isFirst: boolean) => Uint8Array
  /** Spaces to drop from the beginning of the decoded text. */
  readonly leadingSpaces: number
  /** True where a token ends in the space that comes before the next one, which there may not be. */
  readonly endsInSpace?: boolean
}

const encoder = new TextEncoder()

/** Compiles the `decoder` field of a tokenizer.json; `where` names the field in messages. */
export function compileDecoder(config: StageConfig | null, where: string): TokenBytes {
  if (config === null || config === undefined) {
    return { of: (token, isFirst) => encoder.encode(isFirst ? token : ` ${token}`), leadingSpaces: 0 }
  }
  switch (config.type) {
    case 'ByteLevel':
      // A token with other characters, such as an added one, stands for itself.
      return { of: (token) => fromByteLevel(token) ?? encoder.encode(token), leadingSpaces: 0 }
    case 'WordPiece':
      return wordPiece(textField(config, 'prefix', '##', where), config.cleanup === true)
    case 'BPEDecoder': {
      const suffix = textField(config, 'suffix', '</w>', where)
      return { of: (token) => encoder.encode(token.replaceAll(suffix, ' ')), leadingSpaces: 0, endsInSpace: true }
    }
    case 'Metaspace':
    case 'Sequence':
      return sentencePiece(config, where)
    default:
      throw unknownStage('decoder', where, config)
  }
}

/** Llama's Sequence of Replace, ByteFallback, Fuse and Strip, in any order and with any of them missing, or Metaspace. */
function sentencePiece(config: StageConfig, where: string): TokenBytes {
  const stages = config.type === 'Sequence' ? nestedStages(config.decoders, where, 0) : [[config, where] as const]
  const replacements: [string, string][] = []
  let leadingSpaces = 0
  let hasBytes = false
  for (const [stage, path] of stages) {
    const literal = (stage.pattern as { String?: unknown } | undefined)?.String
    if (stage.type === 'Replace' && typeof literal === 'string' && literal !== '')
      replacements.push([literal, textField(stage, 'content', '', path)])
    else if (stage.type === 'ByteFallback') hasBytes = true
    else if (stage.type === 'Strip' && stage.content === ' ' && Number(stage.stop ?? 0) === 0) {
      leadingSpaces = Math.min(Number(stage.start ?? 0), 8)
    } else if (stage.type === 'Metaspace') {
      replacements.push([textField(stage, 'replacement', '▁', path), ' '])
      leadingSpaces =
        (stage.prepend_scheme ?? (stage.add_prefix_space === false ? 'never' : 'always')) === 'never' ? 0 : 1
    } else if (stage.type === 'ByteLevel' && stages.length === 1) return compileDecoder(stage, path)
    else if (stage.type !== 'Fuse') throw unknownStage('decoder', path, stage)
  }
  const of = (token: string): Uint8Array => {
    const byte = hasBytes ? byteOf(token) : undefined
    if (byte !== undefined) return Uint8Array.of(byte)
    return encoder.encode(replacements.reduce((text, [from, to]) => text.replaceAll(from, () => to), token))
  }
  return { of, leadingSpaces }
}

/** The value of a byte token such as `<0x0A>`. */
export function byteOf(token: string): number | undefined {
  return /^<0x[0-9A-Fa-f]{2}>$/.test(token) ? Number.parseInt(token.slice(3, 5), 16) : undefined
}

function wordPiece(prefix: string, cleanup: boolean): TokenBytes {
  const of = (token: string, isFirst: boolean): Uint8Array => {
    const text = isFirst ? token : token.startsWith(prefix) ? token.slice(prefix.length) : ` ${token}`
    return encoder.encode(cleanup ? text.replace(/^ (?=[.?!,]|n't|'m|'s|'ve|'re)/, '') : text)
  }
  return { of, leadingSpaces: 0 }
}

/** The bytes of all tokens in one block, made on first use; indexed by id. */
export class ByteTable {
  readonly #offsets: Int32Array
  readonly #bytes: Uint8Array

  constructor(tokens: readonly (string | undefined)[], source: TokenBytes) {
    const all = tokens.map((token) => (token === undefined ? new Uint8Array(0) : source.of(token, false)))
    this.#offsets = new Int32Array(tokens.length + 1)
    for (const [id, bytes] of all.entries()) this.#offsets[id + 1] = this.#offsets[id]! + bytes.length
    this.#bytes = new Uint8Array(this.#offsets[tokens.length]!)
    for (const [id, bytes] of all.entries()) this.#bytes.set(bytes, this.#offsets[id])
  }

  /** The bytes of one id; empty for ids that no token has. */
  of(id: number): Uint8Array {
    return this.#bytes.subarray(this.#offsets[id] ?? 0, this.#offsets[id + 1] ?? 0)
  }
}

/** The text of all bytes at once: what a StreamDecoder gives for them piece by piece. */
export function decodeBytes(
  chunks: readonly Uint8Array[],
  { leadingSpaces, endsInSpace }: Omit<TokenBytes, 'of'>,
): string {
  const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(Buffer.concat(chunks))
  let start = 0
  while (start < leadingSpaces && text[start] === ' ') start++
  return text.slice(start, endsInSpace && text.endsWith(' ') ? -1 : undefined)
}

/** Turns ids into text one at a time. The pieces of all pushes and the flush, joined, are what `decode` gives. */
export class StreamDecoder {
  readonly #bytesOf: (id: number, isFirst: boolean) => Uint8Array | undefined
  readonly #text: InstanceType<typeof TextDecoder> = new TextDecoder('utf-8', { ignoreBOM: true })
  readonly #spacesToDrop: number
  readonly #endsInSpace: boolean
  #isFirst = true
  #leadingSpaces: number
  /** A space that comes if something follows. */
  #held = ''

  /** `bytesOf` gives undefined for ids to skip. */
  constructor(
    bytesOf: (id: number, isFirst: boolean) => Uint8Array | undefined,
    { leadingSpaces, endsInSpace = false }: { readonly leadingSpaces: number; readonly endsInSpace?: boolean },
  ) {
    this.#bytesOf = bytesOf
    this.#endsInSpace = endsInSpace
    this.#spacesToDrop = leadingSpaces
    this.#leadingSpaces = leadingSpaces
  }

  /** The text that this id completes: '' while a character is unfinished. */
  push(id: number): string {
    const bytes = this.#bytesOf(id, this.#isFirst)
    if (bytes === undefined) return ''
    this.#isFirst = false
    return this.#hold(this.#strip(this.#text.decode(bytes, { stream: true })))
  }

  /** What is left at the end: U+FFFD if the ids stop within a character, else ''. The decoder is then as new. */
  flush(): string {
    const last = this.#strip(this.#text.decode())
    const rest = last === '' ? '' : this.#held + last
    this.#held = ''
    this.#isFirst = true
    this.#leadingSpaces = this.#spacesToDrop
    return rest
  }

  #hold(text: string): string {
    if (!this.#endsInSpace || text === '') return text
    const all = this.#held + text
    this.#held = all.endsWith(' ') ? ' ' : ''
    return this.#held === '' ? all : all.slice(0, -1)
  }

  #strip(text: string): string {
    if (this.#leadingSpaces === 0 || text === '') return text
    let start = 0
    while (start < this.#leadingSpaces && text[start] === ' ') start++
    // Only an unbroken run at the very beginning is dropped.
    this.#leadingSpaces = start === text.length ? this.#leadingSpaces - start : 0
    return text.slice(start)
  }
}
