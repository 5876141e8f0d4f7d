// Python literals as texts: what a template prints of a list, read back as `ast.literal_eval` does.

/** The value of a Python literal (texts, numbers, lists, tuples, dicts, sets, None, True, False); undefined where it is none. */
export function pythonLiteral(text: string): unknown {
  const reader = new Reader(text.trim())
  try {
    return reader.whole()
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

const ESCAPES: Readonly<Record<string, string>> = {
  n: '\n',
  t: '\t',
  r: '\r',
  a: '\x07',
  b: '\b',
  f: '\f',
  v: '\v',
  '\\': '\\',
  "'": "'",
  '"': '"',
  '\n': '',
}

class Reader {
  readonly #text: string
  #at = 0
  #depth = 0

  constructor(text: string) {
    this.#text = text
  }

  whole(): unknown {
    const value = this.#value()
    if (this.#at < this.#text.length) throw new SyntaxError('more than one value')
    return value
  }

  #value(): unknown {
    if (++this.#depth > 100) throw new SyntaxError('too deep')
    try {
      const first = this.#text[this.#at]
      if (first === '[') return this.#items(']')
      if (first === '(') return this.#items(')')
      if (first === '{') return this.#braces()
      if (/^[bBrRuU]?['"]/.test(this.#text.slice(this.#at, this.#at + 2))) return this.#strings()
      const word = this.#match(/[A-Za-z]+/y)
      if (word !== undefined) {
        if (word === 'None') return null
        if (word === 'True') return true
        if (word === 'False') return false
        throw new SyntaxError(word)
      }
      const number = this.#match(/[-+]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?/y)
      if (number === undefined) throw new SyntaxError('no value')
      return Number(number.replaceAll('_', ''))
    } finally {
      this.#depth--
    }
  }

  #items(end: string): unknown[] {
    this.#at++
    const items: unknown[] = []
    for (;;) {
      this.#skip()
      if (this.#take(end)) return items
      items.push(this.#value())
      this.#skip()
      if (!this.#take(',')) {
        if (this.#take(end)) {
          // `(1)` is 1.
          return end === ')' && items.length === 1 ? (items[0] as unknown[]) : items
        }
        throw new SyntaxError('list')
      }
    }
  }

  /** A dict, or a set as a list. */
  #braces(): unknown {
    this.#at++
    const entries: [string, unknown][] = []
    const items: unknown[] = []
    for (;;) {
      this.#skip()
      if (this.#take('}')) return items.length > 0 ? items : Object.fromEntries(entries)
      const key = this.#value()
      this.#skip()
      if (this.#take(':')) {
        this.#skip()
        entries.push([String(key), this.#value()])
      } else items.push(key)
      this.#skip()
      if (!this.#take(',') && this.#text[this.#at] !== '}') throw new SyntaxError('dict')
    }
  }

  /** Neighbouring texts are one. */
  #strings(): string {
    let value = ''
    do {
      value += this.#string()
      this.#skip()
    } while (/^['"]/.test(this.#text.slice(this.#at)))
    return value
  }

  #string(): string {
    const prefix = this.#match(/[bBrRuU]/y) ?? ''
    const long = /'''|"""/y
    const quote = this.#match(long) ?? this.#match(/['"]/y)
    if (quote === undefined) throw new SyntaxError('text')
    let value = ''
    for (;;) {
      if (this.#at >= this.#text.length) throw new SyntaxError('unfinished text')
      if (this.#text.startsWith(quote, this.#at)) {
        this.#at += quote.length
        return value
      }
      const character = this.#text[this.#at++]!
      if (character === '\n' && quote.length === 1) throw new SyntaxError('line break in a text')
      value += character === '\\' && !/[rR]/.test(prefix) ? this.#escape() : character
    }
  }

  #escape(): string {
    const code = this.#match(/x([\da-fA-F]{2})|u([\da-fA-F]{4})|U([\da-fA-F]{8})/y)
    if (code !== undefined) return String.fromCodePoint(Number.parseInt(code.slice(1), 16))
    const octal = this.#match(/[0-7]{1,3}/y)
    if (octal !== undefined) return String.fromCodePoint(Number.parseInt(octal, 8))
    const next = this.#text[this.#at++]
    if (next === undefined) throw new SyntaxError('unfinished text')
    return ESCAPES[next] ?? `\\${next}`
  }

  #skip(): void {
    this.#match(/\s+/y)
  }

  #take(text: string): boolean {
    if (!this.#text.startsWith(text, this.#at)) return false
    this.#at += text.length
    return true
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.#text)?.[0]
    if (found !== undefined) this.#at += found.length
    return found
  }
}
