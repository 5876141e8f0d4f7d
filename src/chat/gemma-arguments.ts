// Reads the arguments of a call as FunctionGemma and Gemma 4 write them, `{city:<escape>Rome<escape>,days:3}`, as JSON.

import type { ArgumentsReader } from './call-object.ts'
import { asJson, escaped } from './xml-arguments.ts'

type Place = 'start' | 'key' | 'colon' | 'value' | 'scalar' | 'text' | 'behind' | 'over'

export class GemmaArguments implements ArgumentsReader {
  /** Stands before and behind a text. */
  readonly #quote: string
  /** Brackets that are open. */
  readonly #open: ('{' | '[')[] = []
  #place: Place = 'start'
  #isKey = false
  #held = ''
  #word = ''
  #json = ''

  constructor(quote: string) {
    this.#quote = quote
  }

  take(): string {
    const taken = this.#json
    this.#json = ''
    return taken
  }

  push(character: string): 'more' | 'whole' | 'wrong' {
    if (this.#place === 'text') return this.#text(character)
    if (this.#held !== '' || (character === this.#quote[0] && (this.#place === 'key' || this.#place === 'value')))
      return this.#mark(character)
    if (/\s/.test(character) && this.#word === '') return 'more'
    switch (this.#place) {
      case 'start':
        return character === '{' ? this.#begin('{') : 'wrong'
      case 'key':
        if (character === '}' && this.#word === '') return this.#shut('{')
        if (character !== ':') return this.#more(() => (this.#word += character))
        this.#json += `${JSON.stringify(this.#word.trim())}: `
        return this.#go('value')
      case 'colon':
        return character === ':' ? this.#more(() => (this.#json += ': '), 'value') : 'wrong'
      case 'value':
        if (character === '{' || character === '[') return this.#begin(character)
        if (character === ']') return this.#shut('[')
        if (/[,:}]/.test(character)) return 'wrong'
        this.#word = character
        return this.#go('scalar', false)
      case 'scalar':
        if (!/[,}\]]/.test(character)) return this.#more(() => (this.#word += character))
        this.#json += asJson(this.#word.trim())
        this.#go('behind')
        return this.#behind(character)
      case 'behind':
        return this.#behind(character)
      default:
        return 'wrong'
    }
  }

  #go(place: Place, isNew = true): 'more' {
    this.#place = place
    if (isNew) this.#word = ''
    return 'more'
  }

  #more(action: () => void, place: Place = this.#place): 'more' {
    action()
    this.#place = place
    return 'more'
  }

  #begin(bracket: '{' | '['): 'more' {
    this.#open.push(bracket)
    this.#json += bracket
    return this.#go(bracket === '{' ? 'key' : 'value')
  }

  #shut(bracket: '{' | '['): 'more' | 'whole' | 'wrong' {
    if (this.#open.pop() !== bracket) return 'wrong'
    this.#json += bracket === '{' ? '}' : ']'
    this.#go(this.#open.length === 0 ? 'over' : 'behind')
    return this.#open.length === 0 ? 'whole' : 'more'
  }

  #behind(character: string): 'more' | 'whole' | 'wrong' {
    if (character === '}') return this.#shut('{')
    if (character === ']') return this.#shut('[')
    if (character !== ',') return 'wrong'
    this.#json += ', '
    return this.#go(this.#open.at(-1) === '{' ? 'key' : 'value')
  }

  /** A quote that opens a text. */
  #mark(character: string): 'more' | 'wrong' {
    this.#held += character
    if (!this.#quote.startsWith(this.#held) || this.#word !== '') return 'wrong'
    if (this.#held !== this.#quote) return 'more'
    this.#held = ''
    this.#isKey = this.#place === 'key'
    this.#json += '"'
    return this.#go('text')
  }

  #text(character: string): 'more' {
    this.#held += character
    if (this.#held.endsWith(this.#quote)) {
      this.#json += `${escaped(this.#held.slice(0, -this.#quote.length))}"`
      this.#held = ''
      return this.#go(this.#isKey ? 'colon' : 'behind')
    }
    let waiting = Math.min(this.#quote.length - 1, this.#held.length)
    while (!this.#held.endsWith(this.#quote.slice(0, waiting))) waiting--
    if (waiting === 0 && /[\ud800-\udbff]$/.test(this.#held)) waiting = 1
    const certain = this.#held.length - waiting
    this.#json += escaped(this.#held.slice(0, certain))
    this.#held = this.#held.slice(certain)
    return 'more'
  }
}
