// What a finished run leaves: Transformers' names in its logs, TensorBoard files, the configuration that repeats it.
import { createHash } from 'node:crypto'
import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadDecoder } from '../../src/checkpoint/model-directory/load.ts'
import { dumpConfig } from '../../src/config/dump.ts'
import { parseConfig } from '../../src/config/parse.ts'
import { trainKind } from '../../src/config/train-kind.ts'
import { crc32c } from '../../src/train/tensorboard.ts'
import { hashOf, ofType } from './tiny-model.ts'
import { annealHere, corpus, type Ended, makeWorkspace, type Workspace } from './tiny-run.ts'

const CONFIG = {
  val_split: 0.2,
  eval_strategy: 'steps',
  eval_steps: 4,
  logging_steps: 3,
  report_to: 'tensorboard',
  sample_prompts: ['the red'],
  load_best_model_at_end: true,
  save_steps: 4,
  weight_decay: 0.1,
  learning_rate: 1e-2,
}

let workspace: Workspace
let ended: Ended
let directory: string
const json = (...path: string[]): Record<string, unknown> => JSON.parse(readFileSync(join(directory, ...path), 'utf8'))
beforeAll(async () => {
  workspace = await makeWorkspace()
  directory = workspace.outputOf('run')
  ended = await annealHere(workspace.words('run', CONFIG))
  expect(ended.code, ended.err).toBe(0)
})
afterAll(() => workspace.remove())

describe('a finished run', () => {
  it('has the model, its tokenizer and its history at the top, beside the checkpoints', () => {
    expect(readdirSync(directory).sort()).toEqual([
      'all_results.json',
      'checkpoint-4',
      'checkpoint-8',
      'config.json',
      'fingerprint.json',
      'generation_config.json',
      'lineage.json',
      'model.safetensors',
      'runs',
      'special_tokens_map.json',
      'tokenizer.json',
      'tokenizer_config.json',
      'train_config.yaml',
      'trainer_state.json',
      'training.html',
    ])
    expect(existsSync(join(directory, 'checkpoint-4', 'optimizer.safetensors'))).toBe(true)
  })

  it('has only JSON lines on standard output, and what people read on standard error', () => {
    const lines = ended.out.trimEnd().split('\n')
    expect(lines.map((line) => JSON.parse(line))).toEqual(ended.events)
    expect(ended.events.map(({ type }) => type)).toContain('sample')
    expect(ended.err).toMatch(
      /^stage: pretrain, finetuning: full, from fresh weights, into \S+\ntrain: [\d,]+ tokens of \d+ passages of 1 file in \d+ blocks of 16\n/,
    )
    expect(ended.err).not.toContain('{')
  })

  it('has log rows and results under the names of Transformers', () => {
    const { log_history, ...state } = json('trainer_state.json') as { log_history: Record<string, number>[] }
    const names = log_history.map((row) => Object.keys(row).sort().join(' '))
    const step = 'epoch grad_norm learning_rate loss mean_token_accuracy num_tokens step tokens_per_second'
    const evaluation = 'epoch eval_loss eval_mean_token_accuracy eval_runtime eval_steps_per_second step'
    const end = 'epoch num_tokens step train_loss train_runtime train_steps_per_second'
    expect(names).toEqual([step, evaluation, step, step, evaluation, end])
    expect(log_history.map((row) => row.step)).toEqual([3, 4, 6, 8, 8, 8])
    expect(state).toMatchObject({
      global_step: 8,
      max_steps: 8,
      logging_steps: 3,
      eval_steps: 4,
      save_steps: 4,
      train_batch_size: 8,
      best_global_step: 8,
      best_model_checkpoint: join(directory, 'checkpoint-8'),
      num_input_tokens_seen: 8 * 8 * 16,
    })
    expect(Object.keys(json('all_results.json')).sort()).toEqual([
      'epoch',
      'eval_loss',
      'eval_mean_token_accuracy',
      'eval_runtime',
      'eval_steps_per_second',
      'kept_step',
      'num_tokens',
      'train_loss',
      'train_runtime',
      'train_steps_per_second',
    ])
  })

  it('logs means over the steps since the last row, and the last rate and norm', () => {
    const steps = ofType(ended.events, 'step-done').map(({ metrics }) => metrics)
    const mean = (values: number[]): number => values.reduce((a, b) => a + b) / values.length
    const { log_history } = json('trainer_state.json') as { log_history: Record<string, number>[] }
    const row = log_history.find((one) => one.step === 6)!
    expect(row.loss).toBeCloseTo(mean(steps.slice(3, 6).map(({ loss }) => loss)), 12)
    expect(row.mean_token_accuracy).toBeCloseTo(mean(steps.slice(3, 6).map((one) => one.mean_token_accuracy!)), 12)
    expect(row).toMatchObject({ grad_norm: steps[5]!.grad_norm, learning_rate: steps[5]!.learning_rate })
    expect(row.learning_rate).toBeCloseTo(1e-2 * (1 - 5 / 8), 12)
  })

  it('has a TensorBoard file with the same numbers', () => {
    const [folder] = readdirSync(join(directory, 'runs'))
    const [file] = readdirSync(join(directory, 'runs', folder!))
    const scalars = readScalars(readFileSync(join(directory, 'runs', folder!, file!)))
    const { log_history } = json('trainer_state.json') as { log_history: Record<string, number>[] }
    const logged = log_history.flatMap(({ step, epoch: _, ...row }) =>
      Object.entries(row).map(([name, value]) => {
        const tag = 'eval_runtime' in row ? 'eval' : 'train'
        return `${tag}/${name.replace(/^eval_/, '')} ${step} ${Math.fround(value)}`
      }),
    )
    expect(scalars.sort()).toEqual(logged.sort())
    expect(scalars.length).toBeGreaterThan(20)
  })

  it('has a page with its curves, what the model wrote and its fingerprint, and says where', () => {
    const html = readFileSync(join(directory, 'training.html'), 'utf8')
    expect(ended.err.trimEnd().split('\n').at(-1)).toBe(`charts of the run: ${join(directory, 'training.html')}`)
    expect([...html.matchAll(/<h3>([^<]+)</g)].map(([, title]) => title)).toEqual([
      'Loss',
      'Next tokens guessed right',
      'Learning rate',
      'Gradient norm',
      'Speed',
    ])
    expect(html.match(/<blockquote[^>]*><b>the red<\/b>/g)!.length).toBe(ofType(ended.events, 'sample').length)
    expect(html).toContain(`>${json('fingerprint.json').fingerprint}<`)
    expect(html).toContain('finished after 8 of 8 steps')
  })

  it('ends with the best checkpoint when asked to', () => {
    const [best, last] = ['checkpoint-8', 'checkpoint-4'].map((name) => hashOf(loadDecoder(join(directory, name))))
    expect(hashOf(loadDecoder(directory))).toBe(best)
    expect(best).not.toBe(last)
  })

  it('says which weights were kept, and has the results of those', async () => {
    // The loss falls, so the first evaluation is the best where it should rise.
    const config = { ...CONFIG, greater_is_better: true, report_to: 'none' }
    const { code, err, events } = await annealHere(workspace.words('kept', config))
    expect(code, err).toBe(0)
    const [best] = ofType(events, 'evaluation-done')
    const results = JSON.parse(readFileSync(join(workspace.outputOf('kept'), 'all_results.json'), 'utf8'))
    expect(results).toMatchObject({ kept_step: 4, eval_loss: best!.metrics.eval_loss })
    expect(err).toContain(
      `notice: the final model has the weights of step 4, the best with eval_loss ${Number(best!.metrics.eval_loss!.toPrecision(5))}\n`,
    )
  })

  it('says when the warm-up is longer than the run', async () => {
    const { err } = await annealHere(workspace.words('warm', { warmup_steps: 100, save_strategy: 'no' }))
    expect(err).toMatch(
      /^notice: warmup_steps: the learning rate rises for 100 steps and the run has 8, so it never reaches 0\.003\. Lower/m,
    )
    expect(ended.err).not.toContain('warmup_steps')
    const short = await annealHere(
      workspace.words('warm-only', { max_steps: 1, warmup_steps: 0.03, save_strategy: 'no' }),
    )
    expect(short.err).toMatch(
      /^notice: warmup_steps: .*the run has 1, .* Set warmup_steps: 0, or train for more steps$/m,
    )
  })

  it('has its configuration, which reads back the same and repeats the run bit for bit', async () => {
    const file = join(directory, 'train_config.yaml')
    const original = parseConfig(readFileSync(workspace.words('run', CONFIG)[1]!, 'utf8'), 'run.yaml')
    const saved = parseConfig(readFileSync(file, 'utf8'), 'train_config.yaml')
    expect(saved.config).toEqual(original.config)
    expect(saved.notices).toEqual([])
    expect(parseConfig(dumpConfig(trainKind, saved), 'again').config).toEqual(original.config)
    const again = workspace.outputOf('again')
    const { code, err } = await annealHere(['train', file, '--output_dir', again, '--json'])
    expect(code, err).toBe(0)
    const hash = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex')
    expect(hash(join(again, 'model.safetensors'))).toBe(hash(join(directory, 'model.safetensors')))
  })

  it('tells how it was made, and a run that goes on from it tells both', async () => {
    const lineage = (path: string): Record<string, unknown>[] =>
      JSON.parse(readFileSync(join(path, 'lineage.json'), 'utf8'))
    expect(lineage(directory)).toMatchObject([
      { pass: 'pretrain', options: { learning_rate: 1e-2 }, report: { steps: 8 } },
    ])
    const config = { model: undefined, tokenizer_name_or_path: undefined, model_name_or_path: directory, max_steps: 2 }
    const { code, err } = await annealHere(workspace.words('continued', config))
    expect(code, err).toBe(0)
    expect(lineage(workspace.outputOf('continued'))).toMatchObject([{ report: { steps: 8 } }, { report: { steps: 2 } }])
  })

  it('puts bad lines of the data aside and trains on the others', async () => {
    const file = join(workspace.directory, 'spoiled.jsonl')
    const good = corpus(20).trimEnd().split('\n')
    const dataset = [...Array.from({ length: 60 }, () => good).flat(), '{"text": broken', ...good]
    writeFileSync(file, `${dataset.join('\n')}\n`)
    const { code, err } = await annealHere(workspace.words('spoiled', { dataset: file, max_steps: 1 }))
    expect(code, err).toBe(0)
    const where = join(workspace.outputOf('spoiled'), 'quarantine', 'train.jsonl')
    expect(err).toContain(
      `notice: 1 of ${dataset.length.toLocaleString('en')} lines cannot be read and is left out (1 bad-json, the first at ${file}:${60 * good.length + 1}); it is in ${where}`,
    )
    expect(readFileSync(join(workspace.outputOf('spoiled'), 'quarantine', 'train.jsonl'), 'utf8')).toContain('broken')
  })
})

describe('a run that goes on in a folder with an older final model', () => {
  it('replaces it', async () => {
    const words = workspace.words('longer', { save_steps: 4 })
    expect((await annealHere(words)).code).toBe(0)
    const first = readFileSync(join(workspace.outputOf('longer'), 'model.safetensors'))
    cpSync(workspace.outputOf('longer'), workspace.outputOf('shorter'), { recursive: true })
    const more = [...words, '--resume_from_checkpoint', 'auto', '--max_steps', '12']
    expect((await annealHere(more)).code).toBe(0)
    expect(readFileSync(join(workspace.outputOf('longer'), 'model.safetensors')).equals(first)).toBe(false)
  })
})

/** `tag step value` of every scalar in an event file; checks both checksums of every record. */
function readScalars(bytes: Buffer): string[] {
  const scalars: string[] = []
  const masked = (part: Uint8Array): number => {
    const crc = crc32c(part)
    return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0
  }
  for (let at = 0; at < bytes.length; ) {
    const size = Number(bytes.readBigUInt64LE(at))
    expect(bytes.readUInt32LE(at + 8)).toBe(masked(bytes.subarray(at, at + 8)))
    const event = bytes.subarray(at + 12, at + 12 + size)
    expect(bytes.readUInt32LE(at + 12 + size)).toBe(masked(event))
    at += size + 16
    const step = numberIn(event, 2)
    const value = fieldIn(fieldIn(event, 5), 1)
    if (value.length > 0) scalars.push(`${fieldIn(value, 1)} ${step} ${fieldIn(value, 2).readFloatLE()}`)
  }
  return scalars
}

/** The bytes of a field of a protobuf message, or none. */
function fieldIn(message: Buffer, wanted: number): Buffer {
  return fieldsOf(message).get(wanted)?.bytes ?? Buffer.alloc(0)
}

function numberIn(message: Buffer, wanted: number): number {
  return fieldsOf(message).get(wanted)?.number ?? 0
}

function fieldsOf(message: Buffer): Map<number, { bytes: Buffer; number: number }> {
  const fields = new Map<number, { bytes: Buffer; number: number }>()
  let at = 0
  const varint = (): number => {
    let [value, scale] = [0, 1]
    for (;;) {
      const byte = message[at++]!
      value += (byte & 127) * scale
      scale *= 128
      if (byte < 128) return value
    }
  }
  while (at < message.length) {
    const key = varint()
    const [field, type] = [Math.floor(key / 8), key % 8]
    const number = type === 0 ? varint() : 0
    const length = type === 2 ? varint() : type === 1 ? 8 : type === 5 ? 4 : 0
    fields.set(field, { bytes: message.subarray(at, at + length), number })
    at += length
  }
  return fields
}
