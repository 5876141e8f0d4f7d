// A toy world: entities with names in pieces, mentioned by Zipf, one fact each; a store of one passage for each, some of which are wrong.
import { PythonRandom } from '../../src/eval/python-random.ts'
import type { GateQuestionRow } from '../../src/run/gate/gate-questions.ts'

/** How large a world is. */
export interface WorldSize {
  entities: number
  /** Texts to pre-train on: statements of facts, and passages that are read with a question. */
  statements: number
  reading: number
  /** Share of passages of the store that give another object. */
  corrupted: number
}

/** What a model is taught and asked. */
export interface World {
  /** Statements and reading, mixed. */
  texts: string[]
  /** One for each entity, the most frequent first; popularity is the number of its statements and one. */
  questions: GateQuestionRow[]
}

/** Mentions of rank r are as (r + SHIFT)^−ZIPF. */
const ZIPF = 0.7
const SHIFT = 5
export const PIECES = 300
/** The share of name pieces that only the more frequent half of the entities has, or only the other half. */
const TIED = 0.55
const RELATIONS = ['colour', 'city', 'trade', 'river', 'metal', 'plant', 'tool', 'song']
/** Objects of each relation: the fewer the easier to guess. */
const OBJECTS = [8, 12, 20, 30, 50, 80, 120, 200]
/** Words that objects are made of, two each. */
const OBJECT_WORDS = 120

interface Fact {
  name: string
  relation: number
  object: string
}

/** The same world for the same size and seed. */
export function makeWorld({ entities, statements, reading, corrupted }: WorldSize, seed: number): World {
  const random = new PythonRandom(seed)
  const one = <T>(list: readonly T[]): T => list[random.below(list.length)]!
  const words = distinct(PIECES + OBJECT_WORDS, () => wordOf(random))
  const nameOf = namer(words.slice(0, PIECES), random)
  const objectWords = words.slice(PIECES)
  const objects = OBJECTS.map((count) => distinct(count, () => `${one(objectWords)} ${one(objectWords)}`))
  const names = new Set<string>()
  const facts = Array.from({ length: entities }, (_, rank): Fact => {
    let name = nameOf(rank < entities / 2)
    while (names.has(name)) name = nameOf(rank < entities / 2)
    names.add(name)
    const relation = random.below(RELATIONS.length)
    return { name, relation, object: one(objects[relation]!) }
  })

  const draw = drawer(
    facts.map((_, rank) => (rank + 1 + SHIFT) ** -ZIPF),
    random,
  )
  const counts = facts.map(() => 1)
  const texts = Array.from({ length: statements }, (_, i) => {
    const at = draw()
    counts[at]!++
    const fact = facts[at]!
    return i % 2 === 0 ? statementOf(fact) : asked(fact, fact.object)
  })
  for (let i = 0; i < reading; i++) {
    // Any object of its kind: what stands in a passage says nothing of the entity, and has to be read.
    const fact = one(facts)
    const object = one(objects[fact.relation]!)
    texts.push(`<document>\n${statementOf({ ...fact, object })}\n</document>\n${asked(fact, object)}`)
  }

  const byRelation = RELATIONS.map((_, relation) => facts.filter((fact) => fact.relation === relation))
  const questions = facts.map((fact, i): GateQuestionRow => {
    const isWrong = random.random() < corrupted
    const object = isWrong ? neighbourObject(byRelation[fact.relation]!, fact, random) : fact.object
    return {
      question: questionOf(fact),
      gold: [fact.object],
      relation: RELATIONS[fact.relation]!,
      entity: fact.name,
      popularity: counts[i]!,
      passages: [statementOf({ ...fact, object })],
    }
  })
  return { texts: random.shuffle(texts), questions }
}

const questionOf = ({ name, relation }: Fact): string => `${RELATIONS[relation]} of ${name}?`
const statementOf = ({ name, relation, object }: Fact): string => `${RELATIONS[relation]} of ${name} is ${object}.`
/** As `recordAnswers` asks, with the answer and the end of its line. */
const asked = (fact: Fact, object: string): string => `Q: ${questionOf(fact)} A: ${object}\n`

/** The object of another entity of the relation, which is another object. `related`: all facts of the relation. */
function neighbourObject(related: readonly Fact[], { object }: Fact, random: PythonRandom): string {
  const others = related.filter((other) => other.object !== object)
  return others[random.below(others.length)]!.object
}

/** Names of two or three pieces. */
function namer(pieces: readonly string[], random: PythonRandom): (isFrequent: boolean) => string {
  const tied = Math.floor((TIED * pieces.length) / 2)
  const [frequent, rare, any] = [pieces.slice(0, tied), pieces.slice(tied, 2 * tied), pieces.slice(2 * tied)]
  return (isFrequent) =>
    Array.from({ length: 2 + random.below(2) }, () => {
      const from = random.random() >= TIED ? any : isFrequent ? frequent : rare
      return from[random.below(from.length)]!
    }).join(' ')
}

/** Two or three syllables. */
function wordOf(random: PythonRandom): string {
  const syllable = (): string => `${'bdfgklmnprstvz'[random.below(14)]}${'aeiou'[random.below(5)]}`
  return syllable() + syllable() + (random.random() < 0.5 ? syllable() : '')
}

function distinct(count: number, make: () => string): string[] {
  const found = new Set<string>()
  while (found.size < count) found.add(make())
  return [...found]
}

/** Draws places in proportion to their weights. */
function drawer(weights: readonly number[], random: PythonRandom): () => number {
  let sum = 0
  const ends = weights.map((weight) => {
    sum += weight
    return sum
  })
  return () => {
    const at = random.random() * sum
    let [low, high] = [0, ends.length - 1]
    while (low < high) {
      const middle = (low + high) >> 1
      if (ends[middle]! > at) high = middle
      else low = middle + 1
    }
    return low
  }
}
