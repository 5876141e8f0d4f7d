// What recipe psydt makes is what stage sft learns from: all turns of the counsellor, and nothing else.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { ruleTeacher } from '../experiments/psydt/rule-teacher.ts'
import { COUNSELLORS, worldCases, worldSeeds } from '../experiments/psydt/world.ts'
import { parseConfig } from '../src/config/parse.ts'
import { IGNORE_INDEX } from '../src/data/batch.ts'
import { readSupervised } from '../src/data/index.ts'
import { CaseStore, type PsydtRow, psydt } from '../src/methods/psydt/index.ts'
import { synthesize } from '../src/synth/index.ts'
import { resultOf } from '../src/work.ts'
import { TINY_CHAT_TEMPLATE, tinyTokenizer } from './tiny-model.ts'

const out = mkdtempSync(join(tmpdir(), 'twin-training-'))
afterAll(() => rmSync(out, { recursive: true, force: true }))

it('has a configuration with the constants of the paper', () => {
  const file = 'recipes/twin/train.yaml'
  const { config, notices } = parseConfig(readFileSync(new URL(`../${file}`, import.meta.url), 'utf8'), file)
  expect(notices).toEqual([])
  expect(config).toMatchObject({ stage: 'sft', learning_rate: 1e-5, num_train_epochs: 3, warmup_steps: 0.03, seed: 42 })
  expect(config.per_device_train_batch_size * config.gradient_accumulation_steps).toBe(16)
})

it('teaches every turn of the counsellor, and no other word', async () => {
  const recipe = psydt({ cases: new CaseStore(worldCases(COUNSELLORS[0]!)), language: 'en' })
  await resultOf(synthesize({ recipe, seeds: worldSeeds(6, 1), model: ruleTeacher(), out }))
  const path = join(out, 'rows.jsonl')
  const rows = readFileSync(path, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as PsydtRow)
  const tokenizer = tinyTokenizer(TINY_CHAT_TEMPLATE)
  const { train, report } = await readSupervised(path, { tokenizer, maxLength: 10_000 })
  expect(report).toMatchObject({ rows: rows.length, shapes: { messages: rows.length }, leftOut: 0 })
  // The other columns are told, and none is a text that would be lost.
  expect(report.notices.join('\n')).toMatch(/not read: id, topic, profile, provenance/)
  for (const [i, { messages }] of rows.entries()) {
    const { ids, labels } = train.get(i)
    const learnt = Array.from(ids).filter((_, k) => labels[k] !== IGNORE_INDEX)
    const counsellor = messages.filter(({ role }) => role === 'assistant').map(({ content }) => content)
    expect(counsellor.length).toBeGreaterThan(4)
    const text = tokenizer.decode(learnt, { skipSpecialTokens: false })
    expect(
      text
        .split('<|im_end|>')
        .map((turn) => turn.trim())
        .filter(Boolean),
    ).toEqual(counsellor)
  }
})
