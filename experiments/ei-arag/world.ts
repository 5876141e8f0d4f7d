// A toy world: entities of names in pieces, Zipf mentions, one fact each; a store of passages, some of which give a neighbour's object.
import { PythonRandom } from '../../src/eval/python-random.ts'
import type { GateQuestionRow } from '../../src/run/gate/gate-questions.ts'

export interface WorldSize {
  entities: number
  /** Texts to pre-train on: statements, and passages with a question. */
  statements: number
  reading: number
  /** Share of passages that are wrong. */
  corrupted: number
}

export interface World {
  texts: string[]
  questions: GateQuestionRow[]
}

const ZIPF = 0.7
const SHIFT = 5
const PIECES = 300
/** Share of name pieces that only frequent or only rare entities have. */
const TIED = 0.5
const RELATIONS = ['colour', 'city', 'trade', 'river', 'metal', 'plant', 'tool', 'song']
const OBJECTS = [8, 12, 20, 30, 50, 80, 120, 200]

export function makeWorld(size: WorldSize, seed: number): World {
  const random = new PythonRandom(seed)
  const syllable = (): string => `${'bdfgklmnprstvz'[random.below(14)]}${'aeiou'[random.below(5)]}`
  const word = (used: Set<string>): string => {
    for (;;) {
      const made = syllable() + syllable() + (random.random() < 0.5 ? syllable() : '')
      if (!used.has(made)) {
        used.add(made)
        return made
      }
    }
  }
  const used = new Set<string>()
  const pieces = Array.from({ length: PIECES }, () => word(used))
  const objects = OBJECTS.map((count) => Array.from({ length: count }, () => `${word(used)} ${word(used)}`))
  const names = new Set<string>()
  const facts = Array.from({ length: size.entities }, (_, rank) => {
    let name = ''
    while (name === '' || names.has(name)) {
      const isHead = rank < size.entities / 2
      name = Array.from({ length: 2 + random.below(2) }, () => {
        // The first half of the tied pieces is of frequent entities.
        if (random.random() >= TIED)
          return pieces[Math.floor(TIED * PIECES) + random.below(Math.ceil((1 - TIED) * PIECES))]!
        return pieces[random.below(Math.floor((TIED * PIECES) / 2)) + (isHead ? 0 : Math.floor((TIED * PIECES) / 2))]!
      }).join(' ')
    }
    names.add(name)
    const relation = random.below(RELATIONS.length)
    const pool = objects[relation]!
    return { name, relation, object: pool[random.below(pool.length)]!, weight: (rank + 1 + SHIFT) ** -ZIPF }
  })
  const ends: number[] = []
  for (const { weight } of facts) ends.push((ends.at(-1) ?? 0) + weight)
  const drawn = (): number => {
    const at = random.random() * ends.at(-1)!
    let [low, high] = [0, ends.length - 1]
    while (low < high) {
      const middle = (low + high) >> 1
      if (ends[middle]! > at) high = middle
      else low = middle + 1
    }
    return low
  }
  const counts = new Array<number>(size.entities).fill(1)
  const asked = ({ name, relation }: (typeof facts)[number]): string => `What is the ${RELATIONS[relation]} of ${name}?`
  const passage = ({ name, relation }: (typeof facts)[number], object: string): string =>
    `The ${RELATIONS[relation]} of ${name} is ${object}.`
  const texts: string[] = []
  for (let i = 0; i < size.statements; i++) {
    const at = drawn()
    counts[at]!++
    const fact = facts[at]!
    texts.push(i % 2 === 0 ? passage(fact, fact.object) : `Q: ${asked(fact)} A: ${fact.object}\n`)
  }
  for (let i = 0; i < size.reading; i++) {
    // Read from the passage: the object is any of its kind, so that nothing is learnt of the entity.
    const fact = facts[random.below(facts.length)]!
    const pool = objects[fact.relation]!
    const object = pool[random.below(pool.length)]!
    texts.push(`<document>\n${passage(fact, object)}\n</document>\nQ: ${asked(fact)} A: ${object}\n`)
  }
  const questions = facts.map((fact, i): GateQuestionRow => {
    const pool = objects[fact.relation]!.filter((object) => object !== fact.object)
    const told = random.random() < size.corrupted ? pool[random.below(pool.length)]! : fact.object
    return {
      question: asked(fact),
      gold: [fact.object],
      relation: RELATIONS[fact.relation]!,
      entity: fact.name,
      popularity: counts[i]!,
      passages: [passage(fact, told)],
    }
  })
  return { texts: random.shuffle(texts), questions }
}
