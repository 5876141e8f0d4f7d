// `anneal dynamics` on runs: what moved against where the run began, and what tasks say of each checkpoint.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { loadDecoder } from '../../src/checkpoint/model-directory/load.ts'
import type { Dynamics } from '../../src/run/dynamics/dynamics.ts'
import { annealHere, makeWorkspace, type Workspace } from './tiny-run.ts'

const root = mkdtempSync(join(tmpdir(), 'dynamics-'))
let workspace: Workspace
beforeAll(async () => {
  workspace = await makeWorkspace()
  expect((await annealHere(workspace.words('fresh', { max_steps: 6, save_steps: 3 }))).code).toBe(0)
})
afterAll(() => {
  workspace.remove()
  rmSync(root, { recursive: true })
})
const read = (run: string): Dynamics => JSON.parse(readFileSync(join(run, 'dynamics', 'dynamics.json'), 'utf8'))

/** Mean of |a − b| over all numbers of a weight, read from the files. */
function meanChange(before: string, after: string, name: string): number {
  const [a, b] = [before, after].map((path) => {
    const model = loadDecoder(path, { device: 'cpu' })
    const values = new Map(model.parameters()).get(name)!.toArray()
    model.free()
    return values
  }) as [number[], number[]]
  return a.reduce((sum, value, i) => sum + Math.abs(value - b[i]!), 0) / a.length
}

it('compares the checkpoints of a fresh run with its first one', async () => {
  const run = workspace.outputOf('fresh')
  const ended = await annealHere(['dynamics', run])
  expect(ended.code, ended.err).toBe(0)
  expect(ended.err).toContain('the run began from a fresh model')
  expect(ended.out).toMatch(/step 6: mean \|ΔW\| 0\.\d+/)
  const { base, checkpoints, evalLoss } = read(run)
  expect(base).toBe(join(run, 'checkpoint-3'))
  expect(checkpoints.map(({ step }) => step)).toEqual([6])
  const [{ weights, rows }] = checkpoints as [Dynamics['checkpoints'][number]]
  for (const { name, type, layer, meanAbs, angle, topAngle } of weights) {
    expect(meanAbs).toBeCloseTo(meanChange(base, checkpoints[0]!.path, name), 9)
    if (name.endsWith('k_proj.weight'))
      expect([type, layer, angle]).toEqual(['k_proj', Number(/\d+/.exec(name)![0]), null])
    if (name.endsWith('gate_proj.weight')) expect(angle).toBeGreaterThan(0)
    if (type === 'norm') expect(topAngle).toBeNull()
  }
  expect(Object.keys(rows)).toEqual(['embed_tokens'])
  const { farthest, nearest, most, least } = rows.embed_tokens!
  expect(farthest[0]!.distance).toBe(most)
  expect(nearest[0]!.distance).toBe(least)
  expect(farthest).toHaveLength(20)
  expect(evalLoss).toEqual([])
  expect(readFileSync(join(run, 'dynamics', 'dynamics.html'), 'utf8')).toContain('How far weights moved')
}, 60_000)

it('compares adapters, in the weights, with the model that they were trained on, and evaluates every one', async () => {
  const base = join(workspace.outputOf('fresh'))
  const words = workspace.words('lora', {
    model: undefined,
    model_name_or_path: base,
    finetuning: 'lora',
    max_steps: 4,
    save_steps: 2,
  })
  const trained = await annealHere(words)
  expect(trained.code, trained.err).toBe(0)
  const docs = Array.from({ length: 6 }, (_, i) => ({ text: `a${i}`, choices: ['b', 'cd'], gold: i % 2 }))
  writeFileSync(join(root, 'docs.jsonl'), docs.map((doc) => `${JSON.stringify(doc)}\n`).join(''))
  const task = join(root, 'task.yaml')
  writeFileSync(
    task,
    `task: letters\ndataset_path: json\ndataset_kwargs:\n  data_files:\n    test: ${join(root, 'docs.jsonl')}\ntest_split: test\noutput_type: multiple_choice\ndoc_to_text: "{{text}}"\ndoc_to_choice: choices\ndoc_to_target: gold\nmetric_list:\n  - metric: acc\n`,
  )
  const run = workspace.outputOf('lora')
  const ended = await annealHere(['dynamics', run, '--tasks', task, '--skip-angles', '--out', join(root, 'out')])
  expect(ended.code, ended.err).toBe(0)
  const dynamics: Dynamics = JSON.parse(readFileSync(join(root, 'out', 'dynamics.json'), 'utf8'))
  expect(dynamics.base).toBe(base)
  expect(dynamics.checkpoints.map(({ step }) => step)).toEqual([2, 4])
  expect(Object.keys(dynamics.baseScores!)).toEqual(['letters: acc'])
  for (const { scores, weights, rows } of dynamics.checkpoints) {
    expect(scores!['letters: acc']).toBeGreaterThanOrEqual(0)
    // LoRA moves the projections, and neither norms nor the embedding.
    for (const { type, meanAbs, angle } of weights) {
      expect(meanAbs > 0, type).toBe(type.endsWith('_proj'))
      expect(angle).toBeNull()
    }
    expect(rows.embed_tokens!.moved).toBe(0)
  }
  expect(existsSync(join(run, 'dynamics'))).toBe(false)
}, 60_000)

it('counts the documents of a task that stand in the text which the run learnt from', async () => {
  const learnt = readFileSync(join(workspace.directory, 'corpus.jsonl'), 'utf8').split('\n')
  const texts = [0, 3].map((i) => (JSON.parse(learnt[i]!) as { text: string }).text)
  const words = texts[1]!.split(' ')
  const docs = [
    texts[0]!,
    words.slice(5, 5 + 13).join(' '), // one run of thirteen words
    words
      .slice(5, 5 + 20)
      .toReversed()
      .join(' '),
    'a word that nobody has ever written in this corpus',
    'too short',
  ]
  writeFileSync(join(root, 'seen.jsonl'), docs.map((text) => `${JSON.stringify({ text })}\n`).join(''))
  const task = join(root, 'seen.yaml')
  writeFileSync(
    task,
    `task: seen\ndataset_path: json\ndataset_kwargs:\n  data_files:\n    test: ${join(root, 'seen.jsonl')}\ntest_split: test\noutput_type: multiple_choice\ndoc_to_text: "{{text}}"\ndoc_to_choice: ["b", "c"]\ndoc_to_target: 0\ndoc_to_decontamination_query: "{{text}}"\nmetric_list:\n  - metric: acc\n`,
  )
  const run = workspace.outputOf('fresh')
  const asked = ['dynamics', run, '--tasks', task, '--skip-angles', '--out']
  const ended = await annealHere([...asked, join(root, 'leaks')])
  expect(ended.code, ended.err).toBe(0)
  expect(ended.out).toMatch(
    /seen: 2 of 4 documents are in the training text, 1 are too short to tell; without them acc/,
  )
  const { leakage } = JSON.parse(readFileSync(join(root, 'leaks', 'dynamics.json'), 'utf8')) as Dynamics
  expect(leakage!.seen).toMatchObject({ documents: 4, found: 2, ids: [0, 1], short: 1 })
  expect(readFileSync(join(root, 'leaks', 'dynamics.html'), 'utf8')).toContain('Found in the training text')
  const without = await annealHere([...asked, join(root, 'unasked'), '--skip-leakage'])
  expect(without.out).not.toContain('training text')
}, 60_000)

it('says what is missing', async () => {
  const nothing = await annealHere(['dynamics', root])
  expect(nothing.code).toBe(3)
  expect(nothing.err).toMatch(/expected a run with checkpoints \(checkpoint-N\), got none/)
  const other = workspace.words('wider', {
    max_steps: 3,
    save_steps: 3,
    model: {
      model_type: 'llama',
      hidden_size: 16,
      intermediate_size: 32,
      num_hidden_layers: 1,
      num_attention_heads: 1,
    },
  })
  expect((await annealHere(other)).code).toBe(0)
  const alone = await annealHere(['dynamics', workspace.outputOf('wider')])
  expect(alone.err).toMatch(/expected two checkpoints or the model that the run began from, got one checkpoint/)
  const wrong = await annealHere(['dynamics', workspace.outputOf('wider'), '--base', workspace.outputOf('fresh')])
  expect(wrong.err).toMatch(/base: expected the shapes of the checkpoints, got \[\d+,32\] for model\.embed_tokens/)
}, 60_000)

it('says that a task is unknown before it compares weights', async () => {
  const ended = await annealHere(['dynamics', workspace.outputOf('fresh'), '--tasks', 'nothing-like-it'])
  expect(ended.code).toBe(2)
  expect(ended.err).toContain("got 'nothing-like-it'")
  expect(ended.err).not.toContain('comparing')
})
