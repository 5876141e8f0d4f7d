// What has to be the same in two questions for one answer to do for both, however alike they sound: numbers with their units and times,
// negations, names, and which way round things are. Vectors are blind to these (GPTCache#694, semantic-router#2691).

import { DIRECTED, ENDS, FIRST, FRAME, MEASURES, NEGATIONS, NUMBERS, TO, UNITS } from './question-words.ts'

/** Facts that may be held equal. */
export type QuestionFact = 'numbers' | 'negation' | 'names' | 'direction' | 'words'

/** What is held by default: `words` besides is for embedders that know words alone. */
export const QUESTION_FACTS: readonly QuestionFact[] = ['numbers', 'negation', 'names', 'direction']
export const ALL_FACTS: readonly QuestionFact[] = [...QUESTION_FACTS, 'words']

/** What was read off a question. */
export interface QuestionFacts {
  /** Numbers in their order, units and times sorted behind them. */
  readonly numbers: string
  readonly negation: string
  /** Names, quoted texts and identifiers, in their order. */
  readonly names: string
  /** The words that questions are not made of, as stems, each once, sorted; words of one end of a scale are one. */
  readonly words: string
  /** All words in their order, and the same sorted. */
  readonly order: readonly string[]
  readonly sorted: string
  /** Which end of a scale is spoken of, by scale. */
  readonly ends: ReadonlyMap<number, string>
  /** What something comes from (`from`), and goes to (`to`). */
  readonly roles: ReadonlyMap<string, string>
  /** Whether it is asked who, when, where, why or how; empty where that cannot be told. */
  readonly asked: string
  readonly isDirected: boolean
}

const TOKEN =
  /`[^`]+`|"[^"]+"|“[^”]+”|«[^»]+»|(?<![\p{L}\d])'[^']+'(?![\p{L}\d])|https?:\/\/\S+|[\p{L}\d._-]+@[\p{L}\d.-]+|[$€£]|[-+]?\d[\d.,:/]*\d|[-+]?\d|%|[\p{L}_][\p{L}\d_]*(?:[.'’/-][\p{L}\d_]+)*/gu

const unitOf = (word: string): string | undefined =>
  UNITS.get(word) ?? UNITS.get(word.replace(/s$/, '')) ?? UNITS.get(word.replace(/es$/, ''))

/** The stem of a word, roughly; what a table knows is the table's. */
function stemOf(word: string): string {
  const bare = word.replace(/'s$/, '')
  if (bare.startsWith('~')) return bare
  const [end] = ENDS.get(bare) ?? []
  if (end !== undefined) return `#${end[0]}${end[1]}`
  const known = NUMBERS.get(bare) ?? unitOf(bare)
  if (known !== undefined) return known
  const cut = bare.length > 4 ? bare.replace(/(?:ies|ing|ed|es|s|e|y)$/, '') : bare.replace(/s$/, '')
  return cut.length < 3 ? bare : cut.replace(/([^aeiouls])\1$/, '$1')
}

const isContent = (word: string): boolean => {
  const bare = word.replace(/'s$/, '')
  return !FRAME.has(bare) && !FIRST.has(bare)
}

/** `how tall` as `~height`, and `height` too. */
function measured(words: readonly string[]): string[] {
  return words.flatMap((word, i) => {
    const measure = MEASURES.get(word)
    if (measure === undefined) return [word]
    return word === measure || words[i - 1] === 'how' ? [`~${measure}`] : [word]
  })
}

function rolesOf(words: readonly string[]): Map<string, string> {
  const roles = new Map<string, string>()
  for (const [i, word] of words.entries()) {
    const next = words.slice(i + 1).find(isContent)
    const before = words[i - 1]
    if (word === 'from' && next !== undefined) roles.set(next, 'from')
    // Cups in a litre are not litres in a cup.
    if (word === 'many' && next !== undefined) roles.set(stemOf(next), 'part')
    if ((word === 'in' || word === 'per') && /^(?:a|an|one|each)$/.test(words[i + 1] ?? '') && next !== undefined)
      roles.set(stemOf(next), 'whole')
    if (!TO.has(word)) continue
    if (next !== undefined) roles.set(next, 'to')
    if (before !== undefined && isContent(before)) roles.set(before, 'from')
  }
  return roles
}

function askedFor(words: readonly string[]): string {
  for (const [i, word] of words.entries()) {
    const next = words[i + 1] ?? ''
    if (word === 'who' || word === 'when' || word === 'where' || word === 'why') return word
    if ((word === 'what' || word === 'which') && /^(?:time|year|date|day)$/.test(next)) return 'when'
    if (word === 'how' && /^(?:do|does|did|can|could|should|to|is|are)$/.test(next)) return 'how'
    if (word === 'way' || word === 'steps') return 'how'
  }
  return ''
}

/** Reads the facts off a question. */
export function questionFacts(question: string): QuestionFacts {
  const numbers: string[] = []
  const units: string[] = []
  const names: string[] = []
  const words: string[] = []
  const ends = new Map<number, string>()
  let negations = 0
  let isFirst = true
  let wasNumber = false
  for (const { 0: token, index } of question.normalize('NFKC').matchAll(TOKEN)) {
    const isStart = isFirst || /[.!?:]\s+$/.test(question.slice(Math.max(0, index - 3), index))
    isFirst = false
    const kind = /^[`"“«']/.test(token) ? 'quoted' : /^[-+]?\d/.test(token) ? 'number' : 'word'
    if (kind === 'number') {
      numbers.push(numberOf(token))
      words.push(numberOf(token))
      wasNumber = true
      continue
    }
    if (kind === 'quoted') {
      names.push(token.slice(1, -1))
      words.push(token)
      continue
    }
    const lower = token.toLowerCase().replaceAll('’', "'")
    const bare = lower.replace(/'s$/, '')
    const joined = lower.replaceAll("'", '')
    words.push(lower)
    const number = NUMBERS.get(bare)
    const unit = unitOf(bare)
    if (number !== undefined) numbers.push(number)
    else if (unit !== undefined) {
      units.push(unit)
      // Five miles are not five kilometres, where both are spoken of.
      if (words.length > 1 && wasNumber) numbers[numbers.length - 1] += unit
    }
    wasNumber = number !== undefined
    if (NEGATIONS.has(joined) || lower.endsWith("n't")) negations++
    for (const [scale, end] of ENDS.get(bare) ?? [])
      ends.set(scale, [...new Set([...(ends.get(scale) ?? ''), end])].sort().join(''))
    if (unit === undefined && number === undefined && isName(token, isStart)) names.push(bare)
  }
  return {
    numbers: [...numbers, '|', ...units.sort()].join(' '),
    negation: String(negations),
    names: names.join('\n'),
    words: [...new Set(measured(words).filter(isContent).map(stemOf))].sort().join(' '),
    roles: rolesOf(words),
    asked: askedFor(words),
    order: words,
    sorted: [...words].sort().join(' '),
    ends,
    isDirected: words.some((word) => DIRECTED.has(word)),
  }
}

/** `1,000` and `1000` are one number, `1.50` and `1.5` too. */
function numberOf(text: string): string {
  const plain = text.replace(/^\+/, '').replaceAll(/,(?=\d{3}(?:\D|$))/g, '')
  return /^-?\d+(\.\d+)?$/.test(plain) ? String(Number(plain)) : plain
}

/** Capitals, digits and marks within a word, and what no ordinary word has. */
function isName(token: string, isStart: boolean): boolean {
  const plain = token.replace(/['’]s$/, '')
  if (/[\d_@/.]/.test(plain) || /\p{Ll}\p{Lu}/u.test(plain)) return true
  if (!/^\p{Lu}/u.test(plain)) return false
  if (plain === 'I' || /^I['’]/.test(plain)) return false
  if (plain === 'OK' || (isStart && /\p{Ll}{3}ing$/u.test(plain))) return false
  return !isStart || !FIRST.has(plain.toLowerCase().replace(/['’].*$/, ''))
}

/** The first fact in which two questions differ; undefined where they agree in all that count. */
export function differingFact(
  a: QuestionFacts,
  b: QuestionFacts,
  facts: readonly QuestionFact[] = QUESTION_FACTS,
): QuestionFact | undefined {
  return facts.find((fact) => (fact === 'direction' ? isTurned(a, b) : a[fact] !== b[fact]))
}

/** Whether two questions say the same words in another order, stand at other ends of a scale, or name what a direction joins the other way. */
function isTurned(a: QuestionFacts, b: QuestionFacts): boolean {
  if (a.sorted === b.sorted && a.order.join(' ') !== b.order.join(' ')) return true
  for (const [scale, end] of a.ends) if ((b.ends.get(scale) ?? end) !== end) return true
  for (const [word, role] of a.roles) if ((b.roles.get(word) ?? role) !== role) return true
  if (a.asked !== '' && b.asked !== '' && a.asked !== b.asked) return true
  if (!a.isDirected && !b.isDirected) return false
  const shared = (from: readonly string[], other: readonly string[]): string =>
    from.filter((word) => !FIRST.has(word) && !DIRECTED.has(word) && other.includes(word)).join(' ')
  return shared(a.order, b.order) !== shared(b.order, a.order)
}
