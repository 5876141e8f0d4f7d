// Reads the arguments of a call that Qwen3-Coder and its kin write as `<parameter=name>value</parameter>` … `</function>`, as JSON.

import type { ArgumentsReader } from './call-object.ts'

const BEGIN = '<parameter='
const END = '</parameter>'
const OVER = '</function>'

export class XmlArguments implements ArgumentsReader {
  /** Whether a parameter's value is a text as it stands; others are JSON. */
  readonly #isText: (parameter: string) => boolean
  #place: 'between' | 'name' | 'value' | 'over' = 'between'
  /** A mark that has begun; a name; in a value what may be its end, or all of it where it is JSON. */
  #held = ''
  #parameters = 0
  #isPlain = false
  #isFirst = false
  #json = ''

  constructor(isText: (parameter: string) => boolean) {
    this.#isText = isText
  }

  push(character: string): 'more' | 'whole' | 'wrong' {
    switch (this.#place) {
      case 'between':
        return this.#between(character)
      case 'name':
        if (character !== '>') this.#held += character
        else this.#beginValue(this.#held)
        return 'more'
      case 'value':
        this.#value(character)
        return 'more'
      case 'over':
        return 'wrong'
    }
  }

  take(): string {
    const taken = this.#json
    this.#json = ''
    return taken
  }

  #between(character: string): 'more' | 'whole' | 'wrong' {
    if (this.#held === '' && /\s/.test(character)) return 'more'
    const mark = this.#held + character
    if (!BEGIN.startsWith(mark) && !OVER.startsWith(mark)) return 'wrong'
    this.#held = mark
    if (mark === BEGIN) {
      this.#held = ''
      this.#place = 'name'
    }
    if (mark !== OVER) return 'more'
    this.#json += this.#parameters === 0 ? '{}' : '}'
    this.#place = 'over'
    return 'whole'
  }

  #beginValue(name: string): void {
    this.#json += `${this.#parameters === 0 ? '{' : ', '}${JSON.stringify(name)}: `
    this.#parameters++
    this.#held = ''
    this.#place = 'value'
    this.#isPlain = this.#isText(name)
    this.#isFirst = true
    if (this.#isPlain) this.#json += '"'
  }

  #value(character: string): void {
    // One break stands before a value and one behind it.
    const isFirst = this.#isFirst
    this.#isFirst = false
    if (isFirst && character === '\n') return
    this.#held += character
    if (this.#held.endsWith(END)) {
      const last = this.#held.slice(0, -END.length).replace(/\n$/, '')
      this.#json += this.#isPlain ? `${escaped(last)}"` : asJson(last)
      this.#held = ''
      this.#place = 'between'
    } else if (this.#isPlain) {
      const certain = certainLength(this.#held)
      this.#json += escaped(this.#held.slice(0, certain))
      this.#held = this.#held.slice(certain)
    }
  }
}

/** How much of a text is no beginning of the end, nor half a pair of UTF-16. */
function certainLength(text: string): number {
  for (const end of [`\n${END}`, END])
    for (let length = Math.min(end.length - 1, text.length); length > 0; length--)
      if (text.endsWith(end.slice(0, length))) return text.length - length
  return /[\ud800-\udbff]$/.test(text) ? text.length - 1 : text.length
}

/** JSON as it stands, or a text where it is none. */
export function asJson(text: string): string {
  try {
    JSON.parse(text)
    return text.trim()
  } catch {
    return JSON.stringify(text)
  }
}

export const escaped = (text: string): string => JSON.stringify(text).slice(1, -1)
