// The template world of experiments/psydt: what its teacher of rules writes comes from the slots of the prompt, and from nowhere else.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { ruleTeacher } from '../experiments/psydt/rule-teacher.ts'
import {
  COUNSELLORS,
  mannerOf,
  shortStage,
  TOPICS,
  topicOfPicture,
  worldCases,
  worldSeeds,
} from '../experiments/psydt/world.ts'
import { CaseStore, type PsydtOptions, type PsydtRow, psydt, therapies } from '../src/methods/psydt/index.ts'
import { synthesize } from '../src/synth/index.ts'
import { resultOf } from '../src/work.ts'

const folder = mkdtempSync(join(tmpdir(), 'psydt-world-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
let runs = 0
async function made(options: Partial<PsydtOptions>, who = 0, count = 48, model = ruleTeacher()) {
  const recipe = psydt({ cases: new CaseStore(worldCases(COUNSELLORS[who]!)), language: 'en', ...options })
  const out = join(folder, `${runs++}`)
  const result = await resultOf(synthesize({ recipe, seeds: worldSeeds(count, 1), model, out }))
  const lines = readFileSync(join(out, 'rows.jsonl'), 'utf8').trim().split('\n')
  return { result, rows: lines.map((line) => JSON.parse(line) as PsydtRow), text: lines.join('\n') }
}
const saidBy = (rows: readonly PsydtRow[], role = 'assistant'): string[] =>
  rows.flatMap(({ messages }) => messages.flatMap((message) => (message.role === role ? [message.content] : [])))

describe('the template world', () => {
  it('has counsellors whose manner is what it says', () => {
    for (const counsellor of COUNSELLORS) {
      const turns = worldCases(counsellor).flatMap((one) =>
        one.turns.flatMap(({ speaker, text }) => (speaker === 'counsellor' ? [text] : [])),
      )
      const { opening, questions, words } = mannerOf(turns)
      expect(opening).toBe(counsellor.manner.opening)
      expect(Math.abs(questions - counsellor.manner.questions)).toBeLessThan(0.12)
      expect(Math.abs(words - counsellor.manner.words)).toBeLessThan(4)
    }
    expect(Object.keys(TOPICS)).toHaveLength(12)
  })

  it.each([0, 1, 2])('gives dialogues the manner, stages and pictures of counsellor %i', async (who) => {
    const { rows, result } = await made({}, who)
    expect(result.rows).toBeGreaterThan(45)
    const { manner, therapy } = COUNSELLORS[who]!
    const measured = mannerOf(saidBy(rows))
    expect(measured.opening).toBe(manner.opening)
    expect(Math.abs(measured.questions - manner.questions)).toBeLessThan(0.2)
    expect(Math.abs(measured.words - manner.words)).toBeLessThan(5)
    const stages = therapies('en').retrieve(therapy).stages.map(shortStage)
    for (const { messages, provenance, topic } of rows) {
      expect(provenance.therapy).toBe(therapy)
      const counsellor = messages.filter(({ role }) => role === 'assistant').map(({ content }) => content.toLowerCase())
      const order = counsellor.map((text) => stages.findIndex((stage) => text.includes(stage)))
      expect(order).not.toContain(-1)
      expect([...order].sort()).toEqual(order)
      expect(topicOfPicture(counsellor.join(' '))).toBe(topic)
    }
  })

  it('reads every slot: without one, or with another case, what it wrote is gone', async () => {
    const plain = mannerOf(saidBy((await made({ without: ['style'] })).rows))
    expect(plain.opening).not.toBe(COUNSELLORS[0]!.manner.opening)
    const stages = therapies('en').retrieve(COUNSELLORS[0]!.therapy).stages.map(shortStage)
    const free = saidBy((await made({ without: ['technique'] })).rows).join(' ')
    for (const stage of stages) expect(free).not.toContain(stage)
    const anyone = saidBy((await made({ without: ['personality'] })).rows, 'user')
    const client = saidBy((await made({})).rows, 'user')
    const long = (turns: readonly string[]) => turns.filter((turn) => turn.includes('. ')).length / turns.length
    expect(long(anyone)).toBe(0)
    expect(long(client)).toBeGreaterThan(0.2)
    const { rows } = await made({ match: 'random' })
    const own = rows.filter(
      ({ messages, topic }) => topicOfPicture(messages.map(({ content }) => content).join(' ')) === topic,
    )
    expect(own.length).toBeLessThan(rows.length / 2)
  })

  it('is made by a teacher that is held to JSON, and by two agents', async () => {
    const held = await made({}, 0, 12, ruleTeacher({ holds: 'masks' }))
    expect(held.rows.length).toBeGreaterThan(10)
    const { rows } = await made({ mode: 'agents', turns: [5, 9] }, 0, 12)
    expect(rows.length).toBeGreaterThan(9)
    expect(mannerOf(saidBy(rows)).opening).toBe(COUNSELLORS[0]!.manner.opening)
    // "I hear you" is felt as being understood.
    for (const { hidden } of rows) expect(hidden!.resistance.at(-1)).toBe(0)
  })

  it('is the same again, and the same whatever runs beside it', async () => {
    expect((await made({}, 1, 12)).text).toBe((await made({}, 1, 12)).text)
  })
})
