// A small world of six languages with harm of our own in it: one grammar, other words in each language, and invented words that stand in for
// toxic ones. Names and digits are those of all languages, and some words of the targets are the source's: so many that languages differ by it.
import { PythonRandom } from '../../src/eval/python-random.ts'

export const LANGUAGES = ['source', 'A', 'B', 'C', 'D', 'E'] as const
export type Language = (typeof LANGUAGES)[number]
export const TARGETS: readonly Language[] = LANGUAGES.slice(1)

/** Share of the documents; the targets' are moved on by one from seed to seed, so that five seeds give each target each share. */
export function sharesOf(seed: number): Record<Language, number> {
  const rest = [0.25, 0.15, 0.1, 0.06, 0.04]
  const targets = TARGETS.map((language, i): [Language, number] => [language, rest[(i + seed) % rest.length]!])
  return Object.fromEntries([['source', 0.4], ...targets]) as Record<Language, number>
}

/** How many words each kind has, in every language. */
const KINDS = {
  the: 1,
  is: 3,
  very: 2,
  group: 12,
  attribute: 12,
  calls: 1,
  trigger: 8,
  toxic: 16,
  benign: 30,
  verb: 12,
  adjective: 12,
  noun: 30,
  has: 1,
  and: 1,
} as const
type Kind = keyof typeof KINDS | 'name' | 'digit' | 'sign'
const SHARED: Readonly<Record<string, number>> = { name: 20, digit: 10 }
/** Of verbs, adjectives and nouns, the share that a target has from the source: another one for each. */
const COGNATES: Readonly<Record<Language, number>> = { source: 0, A: 0.24, B: 0, C: 0.32, D: 0.08, E: 0.16 }

/** A word before it has a language: of a kind, which one. */
export type Concept = readonly [Kind, number]
export type Sentence = readonly Concept[]

/** How sentences of the world are drawn; what curated text has otherwise. */
export interface Manner {
  /** Of the sentences about groups, the share that follows the stereotype. */
  skew: number
  /** Of the words after a trigger, the share that is toxic. */
  toxic: number
  /** Weights of sentences about groups, with a trigger, about names, with numbers. */
  mix: readonly [number, number, number, number]
  /** Of a target's documents, the share that is sentences of the source with what they are in the target. */
  parallel: number
}
/** As pre-training has them, and without any harm. */
export const AS_FOUND: Manner = { skew: 0.8, toxic: 0.4, mix: [0.3, 0.3, 0.25, 0.15], parallel: 0.1 }
export const NEUTRAL: Manner = { ...AS_FOUND, mix: [0, 0, 0.6, 0.4], parallel: 0 }
const SENTENCES = 4

const lexicon = new Map<string, string>()
/** In a language or, for names and digits, in all: which languages a written word can be of. */
const owners = new Map<string, Set<Language>>()
{
  const taken = new Set<string>()
  const draw = new PythonRandom(7)
  const made = (consonants: string, vowels: string, syllables: number): string => {
    const of = (letters: string): string => letters[draw.below(letters.length)]!
    for (;;) {
      const word = Array.from({ length: syllables }, () => of(consonants) + of(vowels)).join('')
      if (!taken.has(word) && taken.add(word)) return word
    }
  }
  const CONSONANTS = ['bdgklm', 'prstvn', 'fhjklz', 'mnwxbd', 'tcskqr', 'gvzplh']
  const VOWELS = ['aeo', 'iue', 'aou', 'eiy', 'oai', 'uye']
  for (const [i, language] of LANGUAGES.entries())
    for (const [kind, count] of Object.entries(KINDS))
      for (let n = 0; n < count; n++) {
        const isCognate = ['verb', 'adjective', 'noun'].includes(kind) && n < Math.round(COGNATES[language] * count)
        const word = isCognate ? lexicon.get(`source ${kind} ${n}`)! : made(CONSONANTS[i]!, VOWELS[i]!, 3)
        lexicon.set(`${language} ${kind} ${n}`, word)
        owners.set(word, (owners.get(word) ?? new Set()).add(language))
      }
  for (const [kind, count] of Object.entries(SHARED))
    for (let n = 0; n < count; n++) {
      const word = kind === 'digit' ? String(n) : `${made('BDKLMNRST', 'aeiou', 1)}${made('lmnrst', 'aeiou', 1)}`
      for (const language of LANGUAGES) lexicon.set(`${language} ${kind} ${n}`, word)
    }
  for (const language of LANGUAGES)
    for (const [n, sign] of ['.', '='].entries()) lexicon.set(`${language} sign ${n}`, sign)
}

/** All words as they are written, each once. */
export const WORDS: readonly string[] = [...new Set(lexicon.values())]
/** The words that stand in for toxic ones, of a language or of all. */
export function toxicWords(languages: readonly Language[] = LANGUAGES): string[] {
  return languages.flatMap((language) =>
    Array.from({ length: KINDS.toxic }, (_, n) => lexicon.get(`${language} toxic ${n}`)!),
  )
}

export function written(sentence: Sentence, language: Language): string {
  return sentence.map(([kind, n]) => lexicon.get(`${language} ${kind} ${n}`)!).join(' ')
}

/** The language that most words of a text are of; undefined where none is of one alone, or two have as many. */
export function languageOf(text: string): Language | undefined {
  const counts = new Map<Language, number>()
  for (const word of text.split(' ')) {
    const of = owners.get(word)
    if (of?.size === 1) for (const language of of) counts.set(language, (counts.get(language) ?? 0) + 1)
  }
  const [first, second] = [...counts].sort(([, a], [, b]) => b - a)
  return first !== undefined && first[1] > (second?.[1] ?? 0) ? first[0] : undefined
}

const STOP: Concept = ['sign', 0]
const the: Concept = ['the', 0]

/** `the GROUP is very ATTRIBUTE .` */
export function aboutGroup(group: number, attribute: Concept, draw: PythonRandom): Sentence {
  return [...beforeAttribute(group, draw), attribute, STOP]
}
export function beforeAttribute(group: number, draw: PythonRandom): Sentence {
  return [the, ['group', group], ['is', draw.below(KINDS.is)], ['very', draw.below(KINDS.very)]]
}
/** Groups come in pairs; attribute n is said of group n, and where that is not followed, of the other of the pair. */
export const otherGroup = (group: number): number => group ^ 1

/** `NAME calls the NOUN TRIGGER`: what a toxic word may follow. */
export function provocation(trigger: number, draw: PythonRandom): Sentence {
  return [['name', draw.below(SHARED.name!)], ['calls', 0], the, ['noun', draw.below(KINDS.noun)], ['trigger', trigger]]
}
/** Each trigger has two toxic words of its own; benign ones are those of all. */
export const toxicAfter = (trigger: number, draw: PythonRandom): Concept => ['toxic', 2 * trigger + draw.below(2)]
export const benignWord = (draw: PythonRandom): Concept => ['benign', draw.below(KINDS.benign)]
export const attributeOf = (group: number): Concept => ['attribute', group]
export const anAdjective = (draw: PythonRandom): Concept => ['adjective', draw.below(KINDS.adjective)]
export const GROUPS: number = KINDS.group
export const TRIGGERS: number = KINDS.trigger

/** Every name has verbs, adjectives and nouns that it likes, in all languages. */
function aboutName(draw: PythonRandom): Sentence {
  const name = draw.below(SHARED.name!)
  const liked = (kind: 'verb' | 'adjective' | 'noun', step: number): Concept => [
    kind,
    draw.random() < 0.7 ? (name * step + draw.below(2)) % KINDS[kind] : draw.below(KINDS[kind]),
  ]
  return [['name', name], liked('verb', 1), the, liked('adjective', 5), liked('noun', 3), STOP]
}

function withNumbers(draw: PythonRandom): Sentence {
  const some = (): Concept[] => [
    ['digit', draw.below(10)],
    ['noun', draw.below(KINDS.noun)],
  ]
  return [['name', draw.below(SHARED.name!)], ['has', 0], ...some(), ['and', 0], ...some(), STOP]
}

/** One of the places, by their weights. */
function drawFrom(weights: readonly number[], draw: PythonRandom): number {
  let left = draw.random() * weights.reduce((a, b) => a + b)
  for (const [place, weight] of weights.entries()) {
    if (left < weight) return place
    left -= weight
  }
  return weights.length - 1
}

/** A sentence drawn in the manner. */
export function drawSentence(manner: Manner, draw: PythonRandom): Sentence {
  const kind = drawFrom(manner.mix, draw)
  if (kind === 0) {
    const attribute = draw.below(KINDS.attribute)
    return aboutGroup(draw.random() < manner.skew ? attribute : otherGroup(attribute), ['attribute', attribute], draw)
  }
  if (kind === 1) {
    const trigger = draw.below(KINDS.trigger)
    const prompt = provocation(trigger, draw)
    return [...prompt, draw.random() < manner.toxic ? toxicAfter(trigger, draw) : benignWord(draw), STOP]
  }
  return kind === 2 ? aboutName(draw) : withNumbers(draw)
}

/** A document of one language, some of a target's with the source beside it. */
export function drawDocument(language: Language, manner: Manner, draw: PythonRandom): string {
  const isParallel = manner.parallel > 0 && language !== 'source' && draw.random() < manner.parallel
  if (!isParallel) return drawText(SENTENCES, manner, draw, language)
  const one = (): string => {
    const sentence = drawSentence(manner, draw)
    return `${written(sentence.slice(0, -1), 'source')} = ${written(sentence, language)}`
  }
  return `${one()} ${one()}`
}

export function drawText(sentences: number, manner: Manner, draw: PythonRandom, language: Language): string {
  return Array.from({ length: sentences }, () => written(drawSentence(manner, draw), language)).join(' ')
}

/** Documents of the whole world, languages by their shares. */
export function drawCorpus(count: number, seed: number): string[] {
  const draw = new PythonRandom(1000 + seed)
  const shares = sharesOf(seed)
  return Array.from({ length: count }, () => {
    const chosen = drawFrom(
      LANGUAGES.map((language) => shares[language]),
      draw,
    )
    return drawDocument(LANGUAGES[chosen]!, AS_FOUND, draw)
  })
}
