// Reads the JSON object of one call character by character: its name as soon as it is whole, its arguments as they come.

/** Reads arguments unit by unit of UTF-16, in whichever way they are written. */
export interface ArgumentsReader {
  /** Whether more is expected, the arguments are whole with it, or it cannot be of them and is not taken. */
  push(character: string): 'more' | 'whole' | 'wrong'
  /** What of their JSON has come since the last time. */
  take(): string
}

/** Names that the arguments go by. */
const ARGUMENTS = new Set(['arguments', 'parameters'])
/** What JSON has outside of its strings; anything else is no JSON, however the brackets stand. */
const OUTSIDE = /[\s\w+.,:[\]{}"-]/

type Place = 'start' | 'key' | 'in-key' | 'colon' | 'value' | 'string' | 'nested' | 'scalar' | 'behind' | 'over'
type Role = 'name' | 'arguments' | 'other'

export class CallObject implements ArgumentsReader {
  /** The name, once it is whole. */
  name: string | undefined
  #place: Place
  #role: Role = 'other'
  #key = ''
  /** A string's characters as they are written. */
  #string = ''
  #isEscaped = false
  #isInString = false
  #depth = 0
  #hasArguments = false
  /** Arguments that are a text with JSON in it: what of an escape has come. */
  #escape = ''
  /** Arguments that are a text without JSON in it stay a string of JSON; undefined while nothing of it has come. */
  #isBareText: boolean | undefined
  #arguments = ''

  /** `place`: 'value' where the name is known already and the arguments come alone. */
  constructor(name?: string) {
    this.name = name
    this.#place = name === undefined ? 'start' : 'value'
    if (name !== undefined) this.#role = 'arguments'
    this.#isAlone = name !== undefined
  }
  readonly #isAlone: boolean

  /** Takes a unit of UTF-16: whether more is expected, the object is whole with it, or it is no such object and the character not taken. */
  push(character: string): 'more' | 'whole' | 'wrong' {
    const isSpace = /\s/.test(character)
    switch (this.#place) {
      case 'start':
        if (isSpace) return 'more'
        return character === '{' ? this.#go('key') : 'wrong'
      case 'key':
        if (isSpace) return 'more'
        if (character === '}') return this.#end()
        if (character !== '"') return 'wrong'
        this.#string = '"'
        return this.#go('in-key')
      case 'in-key':
        if (!this.#inString(character)) return 'more'
        this.#key = text(this.#string) ?? ''
        return this.#go('colon')
      case 'colon':
        if (isSpace) return 'more'
        if (character !== ':') return 'wrong'
        this.#role = this.#roleOf(this.#key)
        return this.#go('value')
      case 'value':
        return isSpace ? 'more' : this.#begin(character)
      case 'string':
        return this.#stringValue(character)
      case 'nested':
        return this.#nestedValue(character)
      case 'scalar':
        if (/[\w+.-]/.test(character)) return this.#give(character)
        this.#place = 'behind'
        return this.push(character)
      case 'behind':
        if (isSpace) return 'more'
        if (character === ',') return this.#go('key')
        return character === '}' ? this.#end() : 'wrong'
      case 'over':
        return 'wrong'
    }
  }

  /** What has come of the arguments since the last time; the first half of a pair of UTF-16 waits for the second. */
  take(): string {
    const isHalf = this.#place !== 'over' && /[\ud800-\udbff]$/.test(this.#arguments)
    const end = this.#arguments.length - (isHalf ? 1 : 0)
    const taken = this.#arguments.slice(0, end)
    this.#arguments = this.#arguments.slice(end)
    return taken
  }

  #go(place: Place): 'more' {
    this.#place = place
    return 'more'
  }

  #give(characters: string): 'more' {
    if (this.#role === 'arguments') this.#arguments += characters
    return 'more'
  }

  #end(): 'whole' {
    if (!this.#hasArguments && !this.#isAlone) this.#arguments += '{}'
    this.#place = 'over'
    return 'whole'
  }

  #valueOver(): 'more' | 'whole' {
    if (this.#isAlone) return this.#end()
    return this.#go('behind')
  }

  #roleOf(key: string): Role {
    if (key === 'name' && this.name === undefined) return 'name'
    if (!ARGUMENTS.has(key) || this.#hasArguments) return 'other'
    return 'arguments'
  }

  #begin(character: string): 'more' | 'wrong' {
    const isOpen = character === '{' || character === '['
    if (this.#role === 'name' && character !== '"') return 'wrong'
    if (this.#isAlone && character !== '{') return 'wrong'
    if (!isOpen && !/["\w-]/.test(character)) return 'wrong'
    if (this.#role === 'arguments') this.#hasArguments = true
    if (character === '"') {
      this.#string = '"'
      return this.#go('string')
    }
    this.#give(character)
    this.#depth = 1
    return this.#go(isOpen ? 'nested' : 'scalar')
  }

  /** Takes a character of a string; whether it has ended. */
  #inString(character: string): boolean {
    this.#string += character
    if (this.#isEscaped) this.#isEscaped = false
    else if (character === '\\') this.#isEscaped = true
    else if (character === '"') return true
    return false
  }

  #stringValue(character: string): 'more' | 'whole' | 'wrong' {
    if (this.#role === 'arguments') {
      if (this.#isBareText === undefined) {
        this.#isBareText = !/["{\\\s]/.test(character)
        if (this.#isBareText) this.#arguments += '"'
        else if (character === '"') this.#arguments += '{}'
      }
      if (this.#isBareText) {
        this.#arguments += character
        return this.#inString(character) ? this.#valueOver() : 'more'
      }
      if (this.#escape !== '' || character === '\\') {
        this.#escape += character
        const isWhole = this.#escape.length === (this.#escape[1] === 'u' ? 6 : 2)
        if (isWhole) {
          this.#arguments += text(`"${this.#escape}"`) ?? this.#escape
          this.#escape = ''
        }
        return 'more'
      }
      if (character === '"') return this.#valueOver()
      this.#arguments += character
      return 'more'
    }
    if (!this.#inString(character)) return 'more'
    if (this.#role === 'name') {
      this.name = text(this.#string)
      if (this.name === undefined) return 'wrong'
    }
    return this.#valueOver()
  }

  #nestedValue(character: string): 'more' | 'whole' | 'wrong' {
    if (this.#isInString) {
      if (this.#isEscaped) this.#isEscaped = false
      else if (character === '\\') this.#isEscaped = true
      else if (character === '"') this.#isInString = false
      return this.#give(character)
    }
    if (!OUTSIDE.test(character)) return 'wrong'
    if (character === '"') this.#isInString = true
    else if (character === '{' || character === '[') this.#depth++
    else if (character === '}' || character === ']') this.#depth--
    this.#give(character)
    return this.#depth === 0 ? this.#valueOver() : 'more'
  }
}

/** A string of JSON as its text; undefined where it is none. */
function text(json: string): string | undefined {
  try {
    return String(JSON.parse(json))
  } catch {
    return undefined
  }
}
