// A tokenizer with an added token that the model has no row for, as Gemma 3 1B has one: everything works, and says so; only a text that has
// the token is refused. Transformers 5 loads such a model, too, and fails at the lookup of the id.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { tinyModelDirectory } from '../../test/tiny-model.ts'
import { writeModelWeights } from '../checkpoint/model-directory/model-weights.ts'
import { readHeader } from '../checkpoint/safetensors/safetensors.ts'
import { trainConfig } from '../config/parse.ts'
import { exitCodeOf } from '../errors.ts'
import { resultOf, type WorkEvent } from '../work.ts'
import { exportModel } from './export/export-model.ts'
import { loadLm } from './load-lm.ts'
import { runPrune } from './prune/run-prune.ts'
import { runQuantize } from './quantize/run-quantize.ts'
import { runSleb } from './sleb/run-sleb.ts'
import type { RunEvent } from './train/run-events.ts'
import { runTraining } from './train/run-training.ts'

const NOTICE = 'the model has no rows for "<image_soft_token>" of its tokenizer: text with it is refused'
let folder: string
let model: string
let rows: number
let remove: () => void
const at = (name: string): string => join(folder, name)

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'anneal-beyond-'))
  process.env.ANNEAL_CACHE = at('cache')
  ;({ directory: model, remove } = await tinyModelDirectory())
  rows = JSON.parse(readFileSync(join(model, 'config.json'), 'utf8')).vocab_size
  const file = join(model, 'tokenizer.json')
  const json = JSON.parse(readFileSync(file, 'utf8'))
  // Not special: it is read out of any text.
  json.added_tokens.push({ ...json.added_tokens[0], id: rows, content: '<image_soft_token>', special: false })
  writeFileSync(file, JSON.stringify(json))
  const text = 'The quick brown fox jumps over the lazy dog, and then over another one. '.repeat(20)
  writeFileSync(at('text.txt'), text)
  writeFileSync(at('image.txt'), `${text}<image_soft_token>${text}`)
})
afterAll(() => {
  rmSync(folder, { recursive: true })
  remove()
})

const WINDOWS = { samples: 4, maxLength: 16, device: 'cpu' as const }
type Work = (out: string, data: string) => AsyncGenerator<WorkEvent | RunEvent, unknown>
const trained: Work = (out, dataset) =>
  runTraining(
    trainConfig({
      stage: 'pretrain',
      model_name_or_path: model,
      dataset,
      output_dir: out,
      max_length: 16,
      max_steps: 1,
      device: 'cpu',
    }),
  )
const WORKS: [string, Work][] = [
  ['prune', (out, data) => runPrune({ model, out, data: [data], ratio: 0.3, align: 8, ...WINDOWS })],
  ['sleb', (out, data) => runSleb({ model, out, data: [data], remove: 1, ...WINDOWS })],
  ['quantize', (out, data) => runQuantize({ model, out, data: [data], budgetBits: 4, ...WINDOWS })],
  ['train', trained],
]

it.each(WORKS)('%s works and says so, and refuses a text that has it', async (name, start) => {
  const notices: string[] = []
  const work = start(at(name), at('text.txt')) as AsyncGenerator<WorkEvent, unknown>
  await resultOf(work, (event) => event.type === 'notice' && notices.push(event.message))
  expect(notices.filter((notice) => notice === NOTICE)).toHaveLength(1)
  const error = await resultOf(start(at(`${name}-image`), at('image.txt')) as AsyncGenerator<WorkEvent>).catch((e) => e)
  expect(error.message).toContain(
    `text: expected tokens that the model has rows for (ids 0 to ${rows - 1}), got "<image_soft_token>" (${rows}). Leave it out of the text`,
  )
  expect(exitCodeOf(error)).toBe(3)
})

it.each(['hf', 'gguf'] as const)('%s is exported', async (to) => {
  const notices: string[] = []
  const out = at(to === 'gguf' ? 'model.gguf' : 'hf')
  await resultOf(exportModel({ model, out, to }), (event) => event.type === 'notice' && notices.push(event.message))
  expect(notices).toContain(NOTICE)
  const lm = await loadLm(out, { device: 'cpu' })
  expect(lm.encode({ prompt: 'fox' })).toHaveLength(4)
  lm.free()
})

it('a prompt with it is refused', async () => {
  const lm = await loadLm(model, { device: 'cpu' })
  expect(() => lm.encode({ prompt: 'a <image_soft_token>' })).toThrow(/has rows for \(ids 0 to \d+\), got "<image/)
  expect(lm.encode({ prompt: 'a' })).toHaveLength(2)
  lm.free()
})

it('says of a wrapper that its text part alone is used, and that only once', async () => {
  const { directory, remove: removeWrapper } = await tinyModelDirectory()
  const config = JSON.parse(readFileSync(join(directory, 'config.json'), 'utf8'))
  writeFileSync(join(directory, 'config.json'), JSON.stringify({ model_type: 'llava', text_config: config }))
  const file = join(directory, 'model.safetensors')
  const bytes = readFileSync(file)
  const named = Array.from(readHeader(file).tensors, ([name, { dtype, shape, begin, end }]) => {
    return { name: `language_model.${name}`, dtype, shape, bytes: () => bytes.subarray(begin, end) }
  })
  writeModelWeights(directory, named, { metadata: { format: 'pt' } })
  const before = model
  model = directory
  try {
    for (const [name, start] of WORKS) {
      const notices: string[] = []
      const work = start(at(`${name}-of-wrapper`), at('text.txt')) as AsyncGenerator<WorkEvent, unknown>
      await resultOf(work, (event) => event.type === 'notice' && notices.push(event.message))
      expect(notices.filter((notice) => /^a llava model: its text part \(llama\)/.test(notice))).toHaveLength(1)
    }
  } finally {
    model = before
    removeWrapper()
  }
})
