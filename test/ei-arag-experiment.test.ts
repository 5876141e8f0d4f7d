// What gates of retrieval are measured on: the toy world is what it says, and lessons tell nothing of the questions that are asked.
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { largeFindings, realFindings, toyFindings } from '../experiments/ei-arag/findings.ts'
import type { RealResults } from '../experiments/ei-arag/real.ts'
import { writeRealTables } from '../experiments/ei-arag/real-tables.ts'
import { halves, lessonsOf, mentions, type PopRow, questionOf } from '../experiments/ei-arag/real-texts.ts'
import type { ToyResults } from '../experiments/ei-arag/run.ts'
import { writeTables } from '../experiments/ei-arag/toy-tables.ts'
import { makeWorld } from '../experiments/ei-arag/world.ts'
import { splitByEntity } from '../src/eval/gates/split-by-entity.ts'

const SIZE = { entities: 600, statements: 6000, reading: 500, corrupted: 0.35 }
const world = makeWorld(SIZE, 3)

it('is the same world for a seed, and another for another', () => {
  expect(makeWorld(SIZE, 3)).toEqual(world)
  expect(makeWorld(SIZE, 4).questions[0]).not.toEqual(world.questions[0])
})

it('has one fact for each of its names, and no name twice', () => {
  expect(new Set(world.questions.map(({ entity }) => entity)).size).toBe(600)
  for (const { entity, question, relation, gold } of world.questions) {
    expect(entity).toMatch(/^\w+ \w+( \w+)?$/)
    expect(question).toBe(`${relation} of ${entity}?`)
    expect(gold).toHaveLength(1)
    expect(gold[0]).toMatch(/^\w+ \w+$/)
  }
})

it('has passages of the entity asked for, a third of them with the object of another', () => {
  const objects = new Map<string, Set<string>>()
  for (const { relation, gold } of world.questions)
    objects.set(relation!, (objects.get(relation!) ?? new Set()).add(gold[0]!))
  let wrong = 0
  for (const { relation, entity, gold, passages } of world.questions) {
    const told = new RegExp(`^${relation} of ${entity} is (.*)\\.$`).exec(passages![0]!)![1]!
    expect(objects.get(relation!)).toContain(told)
    wrong += Number(told !== gold[0])
  }
  // Five deviations of 600 draws of 0.35.
  expect(Math.abs(wrong / 600 - 0.35)).toBeLessThan(0.1)
})

it('states facts as often as entities are popular, the first ones most, and states nothing else', () => {
  const facts = new Map(world.questions.map(({ relation, entity, gold }) => [`${relation} of ${entity}`, gold[0]!]))
  const counts = new Map<string, number>()
  const reading = world.texts.filter((text) => text.startsWith('<document>'))
  for (const text of world.texts) {
    if (text.startsWith('<document>')) continue
    const [, fact, object] = /^(?:Q: )?(.*?)(?: is |\? A: )(.*?)\.?\n?$/.exec(text)!
    expect(facts.get(fact!)).toBe(object)
    counts.set(fact!, (counts.get(fact!) ?? 0) + 1)
  }
  for (const { relation, entity, popularity } of world.questions)
    expect(popularity).toBe(1 + (counts.get(`${relation} of ${entity}`) ?? 0))
  const sum = (from: number): number =>
    world.questions.slice(from, from + 60).reduce((total, { popularity }) => total + popularity!, 0)
  expect(sum(0)).toBeGreaterThan(2 * sum(540))
  // What is read is asked, and is mostly not the fact: at most 1 of 8 by chance.
  let facted = 0
  for (const text of reading) {
    const [, fact, object, again, answer] = /^<document>\n(.*) is (.*)\.\n<\/document>\nQ: (.*)\? A: (.*)\n$/.exec(
      text,
    )!
    expect([again, answer]).toEqual([fact, object])
    facted += Number(facts.get(fact!) === object)
  }
  expect(reading).toHaveLength(500)
  expect(facted).toBeLessThan(500 / 8)
})

it('is split into entities that are on one side each', () => {
  const records = world.questions.map((question) => ({ ...question, closed: { text: '' }, retrieved: { text: '' } }))
  const names = splitByEntity(records, { seed: 3 }).map((part) => new Set(part.map(({ entity }) => entity)))
  expect(names.map(({ size }) => size)).toEqual([360, 90, 150])
  expect(new Set(names.flatMap((part) => [...part])).size).toBe(600)
})

const popqa = Array.from(
  { length: 40 },
  (_, i): PopRow => ({
    subj: `Name${i} Family${i}`,
    prop: i % 2 === 0 ? 'occupation' : 'place of birth',
    obj: i % 2 === 0 ? `trade${i % 6}` : `Town${i % 7}`,
    // Two entities have two questions each.
    subj_id: i < 4 ? i >> 1 : i,
    s_pop: 10 ** (1 + (i % 4)),
    question: i % 2 === 0 ? `What is Name${i} Family${i}'s occupation?` : `In what city was Name${i} Family${i} born?`,
    possible_answers: JSON.stringify([i % 2 === 0 ? `trade${i % 6}` : `Town${i % 7}`]),
    paragraphs: [{ title: `Name${i} Family${i}`, text: `A trade${i % 6} who was born in Town${i % 7}.` }],
  }),
)
const wiki = Array.from({ length: 10 }, (_, i) => ({
  title: `Other${i}`,
  text: `Other${i} was a trade0 born in Town1.`,
}))

it('asks entities of which no question was taught', () => {
  const { taught, asked } = halves(popqa, 1)
  expect(taught.length + asked.length).toBe(40)
  expect(taught.filter(({ subj_id }) => asked.some((row) => row.subj_id === subj_id))).toEqual([])
  const lessons = lessonsOf(popqa, wiki, { reading: 200, repeats: 2, seed: 1 })
  const texts = lessons.map(({ prompt = '', text }) => prompt + text)
  for (const { question } of asked) expect(texts.filter((text) => text.includes(question))).toEqual([])
  for (const row of taught)
    expect(texts.filter((text) => text === `Q: ${row.question} A: ${row.obj}\n`)).toHaveLength(2 * mentions(row))
})

it('reads passages whose names are others, with an answer that stands in them', () => {
  const lessons = lessonsOf(popqa, wiki, { reading: 200, repeats: 2, seed: 1 }).flatMap(({ prompt, text }) =>
    prompt === undefined ? [] : [{ prompt, text }],
  )
  expect(lessons).toHaveLength(200)
  for (const { prompt, text } of lessons) {
    expect(prompt).not.toMatch(/Family/)
    expect(prompt).toContain(text.trim())
    expect(prompt).toMatch(/^<document>\n(Other\d): .*\n<\/document>\nQ: .*\1.*\? A:$/)
  }
})

it('takes subjects as mentioned by the digits of their page views', () => {
  expect([20, 153, 4354].map((s_pop) => mentions({ ...popqa[0]!, s_pop }))).toEqual([2, 3, 4])
  expect(questionOf(popqa[1]!)).toMatchObject({ entity: '0', popularity: 100, gold: ['Town1'] })
})

const read = (name: string): string =>
  readFileSync(new URL(`../experiments/ei-arag/results/${name}`, import.meta.url), 'utf8')

const toy = JSON.parse(read('2026-11-28-toy.json')) as ToyResults
const large = JSON.parse(read('2026-11-28-toy-gpu.json')) as ToyResults
const real = JSON.parse(read('2026-11-28-popqa.json')) as RealResults

it('writes the tables that are beside the results', () => {
  expect(writeTables(toy)).toBe(read('2026-11-28-toy.md'))
  expect(writeTables(large)).toBe(read('2026-11-28-toy-gpu.md'))
  expect(writeRealTables(real)).toBe(read('2026-11-28-popqa.md'))
})

it('has its findings in the card, with their numbers', () => {
  const card = readFileSync(new URL('../src/methods/ei-arag/card.md', import.meta.url), 'utf8')
  for (const finding of [...toyFindings(toy), ...largeFindings(large), ...realFindings(real)])
    expect(card).toContain(finding)
})
