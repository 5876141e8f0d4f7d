// Tells an answer's thoughts, text and calls apart while it comes. One reader for all families: what differs is data (families.ts). What is
// given out depends on the text alone and never on where its pieces were cut, so an answer is the fold of its stream.
//
// What stands where: thoughts come first or not at all. White space around marks is theirs: it is neither text nor thought, but
// between text before a call and text behind it the first of it stays. A call whose name
// is no tool's, or that breaks off before its name, is text as it was written; one that breaks off later keeps the arguments it has.

import type { ChatDelta } from './answer.ts'
import { type ArgumentsReader, CallObject } from './call-object.ts'
import type { ReasoningMarks, ToolFamily } from './families.ts'
import { GemmaArguments } from './gemma-arguments.ts'
import { XmlArguments } from './xml-arguments.ts'

/** What may be in the answer besides text. */
export interface AnswerParserOptions {
  reasoning?: {
    marks: ReasoningMarks
    /** The prompt has opened the thoughts already. */
    isOpen: boolean
  }
  tools?: {
    family: ToolFamily
    names: ReadonlySet<string>
    /** Calls stand at the beginning only: behind other text nothing is one. */
    isFirst?: boolean
    /** Behind so many calls nothing is one. */
    most?: number
    /** Where arguments are written as XML: whether a parameter's value is a text as it stands. */
    isText?: (tool: string, parameter: string) => boolean
    makeId: () => string
  }
}

type Place = 'before' | 'thought' | 'text' | 'call' | 'behind-call'

const NAME = /[A-Za-z0-9_-]/
/** Some versions of Mistral's have it between the name and the mark. */
const CALL_ID = '[CALL_ID]'

export class AnswerParser {
  /** Calls that have come. */
  calls = 0
  /** Units of UTF-16 that have come. */
  pushed = 0
  /** Those of `pushed` up to the end of the thoughts and their mark; undefined while there are none or they last. */
  reasoningEnd: number | undefined
  readonly #reasoning: AnswerParserOptions['reasoning']
  readonly #tools: AnswerParserOptions['tools']
  #place: Place
  /** What is not looked at yet. */
  #rest = ''
  /** White space that is text only if text follows. */
  #space = ''
  /** What has come since the text ended and is text yet, unless it becomes a call. */
  #held = ''
  /** Where nothing was given out since the thoughts or the last call: whether white space is kept for text that may follow. */
  #fresh: 'keep' | 'drop' | undefined
  #hasText = false
  /** A call may begin without its mark. */
  #mayBeBare: boolean
  #object: ArgumentsReader | undefined
  #isAccepted = false
  /** The list of calls is open. */
  #isInList = false
  #deltas: ChatDelta[] = []

  constructor({ reasoning, tools }: AnswerParserOptions) {
    this.#reasoning = reasoning
    this.#tools = tools
    this.#place = reasoning === undefined ? 'text' : reasoning.isOpen ? 'thought' : 'before'
    if (reasoning?.isOpen) this.#fresh = 'drop'
    this.#mayBeBare = tools?.family.bare !== undefined
  }

  /** Whether the answer is within its thoughts. */
  get isThinking(): boolean {
    return this.#place === 'thought'
  }

  /** Takes the next piece; returns what has become certain. */
  push(piece: string): ChatDelta[] {
    this.#rest += piece
    this.pushed += piece.length
    return this.#run(false)
  }

  /** The answer is over: what waited for more. */
  end(): ChatDelta[] {
    return this.#run(true)
  }

  #run(isEnd: boolean): ChatDelta[] {
    while (this.#step(isEnd));
    const deltas = this.#deltas
    this.#deltas = []
    return deltas
  }

  /** Goes on by one decision; false where more has to come first. */
  #step(isEnd: boolean): boolean {
    switch (this.#place) {
      case 'before':
        return this.#before(isEnd)
      case 'thought':
        return this.#thought(isEnd)
      case 'text':
        return this.#text(isEnd)
      case 'call':
        return this.#call(isEnd)
      case 'behind-call':
        return this.#behindCall()
    }
  }

  #before(isEnd: boolean): boolean {
    const { open } = this.#reasoning!.marks
    const from = this.#rest.length - this.#rest.trimStart().length
    const begun = this.#rest.slice(from, from + open.length)
    if (begun === open) {
      this.#rest = this.#rest.slice(from + open.length)
      this.#place = 'thought'
      this.#fresh = 'drop'
      return true
    }
    if (open.startsWith(begun) && !isEnd) return false
    this.#place = 'text'
    return true
  }

  #thought(isEnd: boolean): boolean {
    const { close } = this.#reasoning!.marks
    const { at, isWhole } = find(this.#rest, [close], isEnd)
    const isOver = isWhole !== undefined
    this.#giveOut('reasoning', this.#rest.slice(0, at))
    this.#rest = this.#rest.slice(at + (isWhole?.length ?? 0))
    if (!isOver) {
      if (isEnd) this.#flushSpace('reasoning')
      return false
    }
    this.reasoningEnd = this.pushed - this.#rest.length
    this.#space = ''
    this.#place = 'text'
    this.#fresh = 'drop'
    return true
  }

  #text(isEnd: boolean): boolean {
    const family = this.#mayCall ? this.#tools!.family : undefined
    if (family !== undefined && this.#mayBeBare) {
      const skipped = this.#rest.length - this.#rest.trimStart().length
      const next = this.#rest[skipped]
      if (next === undefined && !isEnd) return false
      this.#mayBeBare = false
      if (next === '{') {
        if (this.#fresh !== 'drop') this.#space += this.#rest.slice(0, skipped)
        return this.#beginCall('', skipped)
      }
    }
    const marks = family === undefined ? [] : [family.open]
    const { at, isWhole } = find(this.#rest, marks, isEnd)
    this.#giveOut('text', this.#rest.slice(0, at))
    this.#rest = this.#rest.slice(at)
    // Where calls stand first, the text before the mark has just ruled them out.
    if (isWhole !== undefined) return this.#mayCall ? this.#beginCall(isWhole, isWhole.length) : true
    if (isEnd) this.#flushSpace('text')
    return false
  }

  get #mayCall(): boolean {
    const { isFirst, most = Number.POSITIVE_INFINITY } = this.#tools ?? { most: 0 }
    return this.calls < most && !(isFirst && this.#hasText)
  }

  #beginCall(held: string, length: number): true {
    this.#held = held
    this.#rest = this.#rest.slice(length)
    this.#object = undefined
    this.#isAccepted = false
    this.#isInList = false
    this.#place = 'call'
    return true
  }

  #call(isEnd: boolean): boolean {
    if (this.#object === undefined) {
      const { form } = this.#tools!.family
      const isReady =
        form === 'named' ? this.#readName(isEnd) : form === 'list' && !this.#isInList ? this.#readBracket() : true
      if (isReady !== true) {
        if (isReady === false || isEnd) return this.#refuse()
        return false
      }
      this.#object ??= new CallObject()
    }
    const object = this.#object
    let result: ReturnType<ArgumentsReader['push']> = 'more'
    let used = 0
    while (result === 'more' && used < this.#rest.length) {
      result = object.push(this.#rest[used]!)
      if (result !== 'wrong') used++
      if (!this.#isAccepted && object instanceof CallObject && object.name !== undefined && result !== 'wrong') {
        if (!this.#tools!.names.has(object.name)) {
          this.#take(used)
          return this.#refuse()
        }
        this.#accept(object.name)
      }
    }
    this.#take(used)
    if (this.#isAccepted) {
      const text = object.take()
      if (text !== '') this.#deltas.push({ type: 'tool-arguments', index: this.calls - 1, text })
      this.#held = ''
    }
    if (result === 'more') return isEnd && !this.#isAccepted ? this.#refuse() : false
    if (!this.#isAccepted) return this.#refuse()
    this.#place = 'behind-call'
    this.#isInList &&= result === 'whole'
    return true
  }

  #take(length: number): void {
    this.#held += this.#rest.slice(0, length)
    this.#rest = this.#rest.slice(length)
  }

  /** The bracket of a list: undefined where more has to come first. */
  #readBracket(): boolean | undefined {
    const spaces = this.#rest.length - this.#rest.trimStart().length
    const next = this.#rest[spaces]
    if (next === undefined) return undefined
    if (next !== '[') return false
    this.#take(spaces + 1)
    this.#isInList = true
    return true
  }

  /** The name between its marks, and an id in some versions: undefined where more has to come first. */
  #readName(isEnd: boolean): boolean | undefined {
    const [before, mark] = this.#tools!.family.nameMarks!
    const text = this.#rest
    const spaces = text.length - text.trimStart().length
    if (!text.startsWith(before, spaces)) return before.startsWith(text.slice(spaces)) ? undefined : false
    let end = spaces + before.length
    const from = end
    while (end < text.length && NAME.test(text[end]!)) end++
    const name = text.slice(from, end)
    if (end === text.length) return undefined
    if (name === '' || !this.#tools!.names.has(name)) return false
    if (text.startsWith(CALL_ID, end)) {
      end += CALL_ID.length
      while (end < text.length && NAME.test(text[end]!)) end++
    }
    const behind = text.slice(end, end + mark.length)
    const isBare = behind[0] === '{' || mark === ''
    if (!isBare && behind !== mark) {
      const mayCome = mark.startsWith(behind) || CALL_ID.startsWith(text.slice(end))
      return mayCome && !isEnd ? undefined : false
    }
    this.#take(end + (isBare ? 0 : mark.length))
    this.#object = this.#argumentsReader(name)
    this.#accept(name)
    return true
  }

  #argumentsReader(name: string): ArgumentsReader {
    const { family, isText } = this.#tools!
    if (family.notation === 'json') return new CallObject(name)
    if (family.notation === 'xml') return new XmlArguments((parameter) => isText?.(name, parameter) ?? false)
    return new GemmaArguments(family.notation.quote)
  }

  #accept(name: string): void {
    this.#isAccepted = true
    if (!this.#hasText) this.#space = ''
    this.#deltas.push({ type: 'tool-call', index: this.calls, id: this.#tools!.makeId(), name })
    this.calls++
  }

  /** What looked like a call is text. */
  #refuse(): true {
    const held = this.#held
    this.#held = ''
    this.#place = 'text'
    this.#giveOut('text', held)
    return true
  }

  /** Behind a call: the next one of a list, or what closes it. */
  #behindCall(): boolean {
    const { close, bare } = this.#tools!.family
    const spaces = this.#rest.length - this.#rest.trimStart().length
    const behind = this.#rest.slice(spaces)
    if (behind === '') return false
    if (this.#isInList && behind[0] === ',') {
      this.#beginCall(this.#rest.slice(0, spaces + 1), spaces + 1)
      this.#isInList = true
      return true
    }
    if (this.#isInList && behind[0] === ']') {
      this.#rest = behind.slice(1)
      this.#isInList = false
      return true
    }
    const mark = bare === undefined ? close : bare
    if (mark !== '') {
      if (behind.startsWith(mark)) {
        this.#rest = behind.slice(mark.length)
        return this.#freshText()
      }
      // What has come of a mark when the answer ends is nobody's.
      if (mark.startsWith(behind)) return false
    }
    return this.#freshText()
  }

  #freshText(): true {
    this.#place = 'text'
    this.#fresh = this.#hasText && this.#space === '' ? 'keep' : 'drop'
    this.#mayBeBare = this.#tools!.family.bare !== undefined
    return true
  }

  /** Gives text out, but for white space at its end. */
  #giveOut(type: 'text' | 'reasoning', piece: string): void {
    const lead = this.#fresh === undefined ? 0 : piece.length - piece.trimStart().length
    if (this.#fresh === 'keep') this.#space += piece.slice(0, lead)
    const text = this.#space + piece.slice(lead)
    const end = text.trimEnd().length
    this.#space = text.slice(end)
    if (end === 0) return
    this.#fresh = undefined
    if (type === 'text') this.#hasText = true
    this.#deltas.push({ type, text: text.slice(0, end) })
  }

  #flushSpace(type: 'text' | 'reasoning'): void {
    if (this.#space !== '' && this.#fresh === undefined) this.#deltas.push({ type, text: this.#space })
    this.#space = ''
  }
}

/** The first place where a mark stands, or where one may have begun that more has to complete; the end where neither is. */
function find(text: string, marks: readonly string[], isEnd: boolean): { at: number; isWhole?: string } {
  let at = text.length
  let isWhole: string | undefined
  for (const mark of marks) {
    const found = text.indexOf(mark)
    if (found >= 0 && found < at) [at, isWhole] = [found, mark]
    if (isEnd) continue
    for (let length = Math.min(mark.length - 1, text.length); length > 0; length--)
      if (text.length - length < at && text.endsWith(mark.slice(0, length)))
        [at, isWhole] = [text.length - length, undefined]
  }
  // The first half of a pair of UTF-16 waits for the second.
  if (at === text.length && !isEnd && /[\ud800-\udbff]$/.test(text)) at--
  return { at, ...(isWhole !== undefined && { isWhole }) }
}
