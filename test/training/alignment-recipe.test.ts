// The alignment recipe as it stands, on a model of a test: its arms are trained and measured in both languages, and what carried over is told.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { readYaml } from '../../src/config/read-yaml.ts'
import type { SweepResult } from '../../src/run/sweep/sweep-result.ts'
import { TINY } from './tiny-model.ts'
import { annealHere, makeWorkspace, type Workspace } from './tiny-run.ts'

let workspace: Workspace
beforeAll(async () => {
  workspace = await makeWorkspace()
})
afterAll(() => workspace.remove())

it('runs, measures and tells what carried over', async () => {
  const { vocab_size: _, ...model } = TINY
  const base = workspace.words('base', { model: { ...model, max_position_embeddings: 512 }, max_steps: 2 })
  expect((await annealHere(base)).code).toBe(0)
  const file = 'recipes/alignment/arms.yaml'
  const recipe = Object.fromEntries(readYaml(readFileSync(file, 'utf8'), file).map(({ key, value }) => [key, value]))
  const small = join(workspace.directory, 'arms.yaml')
  const output = workspace.outputOf('arms')
  const set = { model_name_or_path: workspace.outputOf('base'), max_steps: 1 }
  const axes = { ...(recipe.axes as object), seed: [1] }
  const evaluate = { ...(recipe.evaluate as object), limit: 2 }
  writeFileSync(small, JSON.stringify({ ...recipe, set, axes, evaluate, output_dir: output }))
  const ended = await annealHere(['sweep', small])
  expect(ended.code, ended.err).toBe(0)
  const { rows } = JSON.parse(readFileSync(join(output, 'sweep.json'), 'utf8')) as SweepResult
  expect(rows.map(({ settings, status }) => [settings.arm, status])).toEqual([
    ['sft-curated', 'done'],
    ['sft-chosen', 'done'],
    ['dpo', 'done'],
  ])
  const table = readFileSync(join(output, 'sweep.md'), 'utf8')
  for (const metric of [
    'crows_pairs pct_stereotype',
    'crows_pairs log_ratio',
    'toxicity emt_raw',
    'toxicity emt_masked',
  ])
    expect(table).toContain(`**${metric}**`)
  // Two languages are too few for a correlation, which is said.
  const shares = join(workspace.directory, 'shares.csv')
  writeFileSync(shares, 'language,share\nen,0.6\nda,0.1\n')
  const told = await annealHere(['transfer', output, '--metric', 'log_ratio', '--source', 'en', '--predictors', shares])
  expect(told.code).toBe(3)
  expect(told.err).toMatch(/expected at least 3 pairs, got 1\. Measure more languages/)
})
