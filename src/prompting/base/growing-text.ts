// A text of token ids that grows one by one: what each further id would make of it, at a cost that does not grow with it.

/** Ids of a prompt that are read before a text that goes on, so that its first space is one. */
const BEFORE = 4
/** Ids that are decoded together at most, before the window moves. */
const WINDOW = 16

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
/** What bytes are decoded to that are no character. */
const NO_CHARACTER = '\ufffd'

/** A text with another id behind it. */
export interface Grown {
  /** Without the character that is not whole. */
  text: string
  /** Its bytes so far. */
  unfinished: readonly number[]
  /** False where bytes have come that no text has. */
  isText: boolean
}

export class GrowingText {
  readonly #decode: (ids: readonly number[]) => string
  readonly #bytesOf: (id: number) => Iterable<number>
  /** The last ids, and their text without what is not whole. */
  #window: number[]
  #whole: string
  #unfinished: readonly number[] = []
  #text = ''

  /** `before`: the ids that the text goes on from; none for a text of its own. `bytesOf`: none for a control token. */
  constructor(
    decode: (ids: readonly number[]) => string,
    bytesOf: (id: number) => Iterable<number>,
    before: readonly number[] = [],
  ) {
    this.#decode = decode
    this.#bytesOf = bytesOf
    this.#window = before.slice(-BEFORE)
    this.#whole = decode(this.#window)
  }

  get text(): string {
    return this.#text
  }

  /** The text if `id` came next; it does not come by that. */
  after(id: number): Grown {
    const bytes = [...this.#unfinished, ...this.#bytesOf(id)]
    const unfinished = bytes.slice(bytes.length - unfinishedBytes(bytes))
    const whole = this.#read([...this.#window, id], unfinished.length)
    return {
      text: this.#text + whole.slice(this.#whole.length),
      unfinished,
      isText: isText(bytes.slice(0, bytes.length - unfinished.length)),
    }
  }

  push(id: number): void {
    const { text, unfinished } = this.after(id)
    this.#text = text
    this.#unfinished = unfinished
    this.#window.push(id)
    if (unfinished.length === 0 && this.#window.length >= WINDOW) this.#window = this.#window.slice(-BEFORE)
    this.#whole = this.#read(this.#window, unfinished.length)
  }

  /** Decoders write a character that is not whole as one mark or as one for each of its bytes. */
  #read(ids: readonly number[], unfinished: number): string {
    const text = this.#decode(ids)
    let end = text.length
    while (end > text.length - unfinished && text[end - 1] === NO_CHARACTER) end--
    return text.slice(0, end)
  }
}

/** Whether these bytes, which end with a character, are text. */
function isText(bytes: readonly number[]): boolean {
  try {
    utf8.decode(Uint8Array.from(bytes))
    return true
  } catch {
    return false
  }
}

/** Bytes at the end that may be the beginning of a character. */
function unfinishedBytes(bytes: readonly number[]): number {
  for (let count = 1; count <= Math.min(3, bytes.length); count++) {
    const byte = bytes[bytes.length - count]!
    if (byte >= 0x80 && byte < 0xc0) continue
    return byte >= 0xc2 && byte <= 0xf4 && lengthFrom(byte) > count ? count : 0
  }
  return 0
}

const lengthFrom = (first: number): number => (first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4)

/** What a second of four bytes may be: other symbols, and among them what is said in pictures, for which all would be too many. */
const SECOND_OF_FOUR = [0x9f, 0x90, 0x80]

/** The characters that these bytes may become; of those of four bytes, some. */
export function* endings(unfinished: readonly number[]): Generator<string, void, undefined> {
  const length = lengthFrom(unfinished[0]!)
  if (unfinished.length === length) {
    if (isText(unfinished)) yield utf8.decode(Uint8Array.from(unfinished))
    return
  }
  const next = length === 4 && unfinished.length === 1 ? SECOND_OF_FOUR : Array.from({ length: 64 }, (_, i) => 0x80 + i)
  for (const byte of next) yield* endings([...unfinished, byte])
}
