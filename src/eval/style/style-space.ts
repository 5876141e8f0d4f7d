// How somebody speaks, as numbers: what a turn has of each feature, and how alike the means of two sets of turns are. What is usual, and how
// much it varies, is fitted on the reference alone.

import { cutWords } from '../metrics/cut-words.ts'
import { STYLE_WORDS, type StyleLanguage, styleLanguage } from './style-words.ts'

/** Features that belong together, each group with the same weight in the whole. */
export type StyleGroup = 'length' | 'questions' | 'phrases' | 'openings' | 'function words' | 'punctuation'

/** One feature: `level` is a number with a spread, `share` a part of a whole with the others of its group. */
export interface StyleFeature {
  readonly name: string
  readonly group: StyleGroup
  readonly kind: 'level' | 'share'
  readonly of: (turn: CutTurn) => number
}

/** A turn, cut once. */
export interface CutTurn {
  readonly text: string
  readonly words: readonly string[]
  readonly counts: ReadonlyMap<string, number>
}

/** How alike two sets of turns are. All in [0, 1]; 1 where nothing tells them apart. */
export interface StyleLikeness {
  /** The mean of the groups. */
  similarity: number
  groups: Readonly<Partial<Record<StyleGroup, number>>>
  /** Of the means of both in units of the reference's spread; near 1 for nearly everything. */
  cosine: number
}

const OPENINGS = 12
const OPENING_WORDS = 2
const FREQUENT_WORDS = 60
/** A feature that the reference never varies in is given this spread, so that one odd turn is no other style. */
const LEAST_SPREAD = 0.1
const SIGNS = ['?', '!', ',', '.', '…', ':', ';', '"', '(', '-', '~', '\n'] as const

export const cutTurn = (text: string): CutTurn => {
  const words = cutWords(text)
  const counts = new Map<string, number>()
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1)
  return { text, words, counts }
}

/** What turns are measured by. */
export class StyleSpace {
  readonly language: StyleLanguage | undefined
  readonly features: readonly StyleFeature[]
  /** [features]: the reference's mean, and how much its turns differ from each other. */
  readonly mean: Float64Array
  readonly spread: Float64Array
  /** The places of each group's features. */
  readonly #groups: readonly (readonly [StyleGroup, readonly number[]])[]

  /** Fits on the turns of the reference; there must be one. */
  constructor(reference: readonly string[], language?: StyleLanguage) {
    this.language = language ?? styleLanguage(reference, cutWords)
    const turns = reference.map(cutTurn)
    this.features = featuresOf(turns, this.language)
    this.#groups = [...new Set(this.features.map(({ group }) => group))].map((group) => [
      group,
      this.features.flatMap((feature, j) => (feature.group === group ? [j] : [])),
    ])
    const vectors = turns.map((turn) => this.vectorOf(turn))
    this.mean = meanVector(vectors)
    this.spread = this.mean.map((mean, j) =>
      Math.max(
        LEAST_SPREAD,
        Math.sqrt(vectors.reduce((sum, vector) => sum + (vector[j]! - mean) ** 2, 0) / vectors.length),
      ),
    )
  }

  /** [features] of one turn. */
  vectorOf(turn: CutTurn | string): Float64Array {
    const cut = typeof turn === 'string' ? cutTurn(turn) : turn
    return Float64Array.from(this.features, (feature) => feature.of(cut))
  }

  /**
   * Of two means of vectors. A level is exp(−|difference| / spread); the shares of a group are Σ min(p, q) of what each has of the whole,
   * 1 where neither has any.
   */
  likeness(a: Float64Array, b: Float64Array = this.mean): StyleLikeness {
    const groups: Partial<Record<StyleGroup, number>> = {}
    for (const [group, places] of this.#groups)
      groups[group] = this.features[places[0]!]!.kind === 'level' ? this.#levels(places, a, b) : shares(places, a, b)
    const values = Object.values(groups)
    return {
      similarity: values.reduce((sum, value) => sum + value, 0) / values.length,
      groups,
      cosine: this.#cosine(a, b),
    }
  }

  #levels(places: readonly number[], a: Float64Array, b: Float64Array): number {
    const sum = places.reduce((total, j) => total + Math.exp(-Math.abs(a[j]! - b[j]!) / this.spread[j]!), 0)
    return sum / places.length
  }

  #cosine(a: Float64Array, b: Float64Array): number {
    let [ab, aa, bb] = [0, 0, 0]
    for (let j = 0; j < a.length; j++) {
      const [x, y] = [a[j]! / this.spread[j]!, b[j]! / this.spread[j]!]
      ab += x * y
      aa += x * x
      bb += y * y
    }
    return aa === 0 || bb === 0 ? Number(aa === bb) : ab / Math.sqrt(aa * bb)
  }
}

function shares(places: readonly number[], a: Float64Array, b: Float64Array): number {
  const total = (vector: Float64Array): number => places.reduce((sum, j) => sum + vector[j]!, 0)
  const [allA, allB] = [total(a), total(b)]
  if (allA === 0 || allB === 0) return Number(allA === allB)
  return places.reduce((sum, j) => sum + Math.min(a[j]! / allA, b[j]! / allB), 0)
}

/** The mean of vectors of one length; at least one. */
export function meanVector(vectors: readonly Float64Array[]): Float64Array {
  const sum = new Float64Array(vectors[0]!.length)
  for (const vector of vectors) for (let j = 0; j < sum.length; j++) sum[j]! += vector[j]!
  return sum.map((value) => value / vectors.length)
}

function featuresOf(reference: readonly CutTurn[], language: StyleLanguage | undefined): StyleFeature[] {
  const level = (group: StyleGroup, name: string, of: StyleFeature['of']): StyleFeature => ({
    name,
    group,
    kind: 'level',
    of,
  })
  const share = (group: StyleGroup, name: string, of: StyleFeature['of']): StyleFeature => ({
    name,
    group,
    kind: 'share',
    of,
  })
  const lists = language === undefined ? undefined : STYLE_WORDS[language]
  const openings = mostFrequent(reference.map(openingOf), OPENINGS)
  const known = new Set(openings)
  return [
    level('length', 'log of words', ({ words }) => Math.log1p(words.length)),
    level('length', 'log of words in a sentence', (turn) => Math.log1p(turn.words.length / sentencesOf(turn))),
    level('questions', 'has a question', ({ text }) => Number(/[?？]/.test(text))),
    level('questions', 'ends with a question', ({ text }) => Number(/[?？]["'”’)）]*\s*$/.test(text))),
    level('questions', 'log of questions', ({ text }) => Math.log1p(text.match(/[?？]+/g)?.length ?? 0)),
    ...Object.entries(lists?.markers ?? {}).map(([name, marker]) =>
      level('phrases', name, ({ text }) => Number(marker.test(text.toLowerCase().replaceAll('’', "'")))),
    ),
    ...openings.map((opening) => share('openings', opening, (turn) => Number(openingOf(turn) === opening))),
    share('openings', 'any other', (turn) => Number(!known.has(openingOf(turn)))),
    ...(
      lists?.functionWords ??
      mostFrequent(
        reference.flatMap(({ words }) => words),
        FREQUENT_WORDS,
      )
    ).map((word) =>
      share('function words', word, ({ counts, words }) => (counts.get(word) ?? 0) / Math.max(1, words.length)),
    ),
    ...SIGNS.map((sign) =>
      share('punctuation', sign === '\n' ? 'line end' : sign, ({ text }) => signsOf(text).split(sign).length - 1),
    ),
  ]
}

/** The first words of a turn. */
export const openingOf = ({ words }: CutTurn): string => words.slice(0, OPENING_WORDS).join(' ')

const sentencesOf = ({ text }: CutTurn): number =>
  Math.max(1, text.split(/[.!?。！？…\n]+/u).filter((part) => /\p{L}/u.test(part)).length)

const LIKE: Readonly<Record<string, string>> = {
  '？': '?',
  '！': '!',
  '，': ',',
  '、': ',',
  '。': '.',
  '：': ':',
  '；': ';',
  '“': '"',
  '”': '"',
  '（': '(',
  '—': '-',
  '–': '-',
  '～': '~',
}
/** The signs of a text, those of other scripts as ours. */
const signsOf = (text: string): string =>
  text.replaceAll(/\.{3,}|。{3,}|…+/g, '…').replaceAll(/[？！，、。：；“”（—–～]/g, (sign) => LIKE[sign]!)

function mostFrequent(items: readonly string[], most: number): string[] {
  const counts = new Map<string, number>()
  for (const item of items) if (item !== '') counts.set(item, (counts.get(item) ?? 0) + 1)
  return [...counts]
    .sort(([, a], [, b]) => b - a)
    .slice(0, most)
    .map(([item]) => item)
}
