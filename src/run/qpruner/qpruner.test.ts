import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { saveDecoder } from '../../checkpoint/model-directory/save.ts'
import { main } from '../../cli/main.ts'
import { lockOutput } from '../../files/output-lock.ts'
import { readModelConfig } from '../../model/config-read.ts'
import { Decoder } from '../../model/decoder.ts'
import { trainBpe } from '../../text/bpe.ts'

const root = mkdtempSync(join(tmpdir(), 'anneal-qpruner-run-'))
const out = join(root, 'run')
const WORDS = 'the cat sat on the mat and looked at the moon while a dog ran over the hill to see who was there'.split(
  ' ',
)

beforeAll(async () => {
  const lines = Array.from({ length: 600 }, (_, i) =>
    Array.from({ length: 9 }, (__, j) => WORDS[(i * 7 + j * j * 3) % WORDS.length]).join(' '),
  )
  writeFileSync(join(root, 'text.txt'), lines.join('\n'))
  const { tokenizer } = await trainBpe(lines, { vocabSize: 300, specialTokens: ['<|end|>'], roles: { eos: '<|end|>' } })
  const config = readModelConfig(
    {
      model_type: 'llama',
      vocab_size: tokenizer.vocabSize,
      hidden_size: 32,
      intermediate_size: 128,
      num_hidden_layers: 3,
      num_attention_heads: 4,
      num_key_value_heads: 2,
      max_position_embeddings: 256,
      tie_word_embeddings: true,
      initializer_range: 0.15,
    },
    'config.json',
  )
  const decoder = Decoder.fresh(config, { seed: 1 })
  mkdirSync(join(root, 'model'))
  saveDecoder(decoder, join(root, 'model'))
  decoder.free()
  await tokenizer.save(join(root, 'model'))
})
afterAll(() => rmSync(root, { recursive: true }))

const yaml = (steps: number): string => `model_name_or_path: ${join(root, 'model')}
dataset: ${join(root, 'text.txt')}
output_dir: ${out}
device: cpu
calibration: {samples: 4, length: 32, batch_size: 2}
prune: {ratio: 0.2, layout: per-layer, align: 8}
quantize: {budget_bits: 3.2, evaluations: 8}
recover: {max_steps: ${steps}, lora_r: 4, max_length: 32, per_device_train_batch_size: 2, learning_rate: 1e-3}
`

async function run(steps: number): Promise<{ code: number; out: string; err: string }> {
  writeFileSync(join(root, 'q.yaml'), yaml(steps))
  const [printed, said]: [string[], string[]] = [[], []]
  const code = await main(['qpruner', join(root, 'q.yaml')], {
    stdout: { write: (chunk: string) => printed.push(chunk) },
    stderr: { write: (chunk: string) => said.push(chunk) },
  })
  return { code, out: printed.join(''), err: said.join('') }
}

describe('anneal qpruner', () => {
  it('makes every stage, compares the models, and a rerun makes only what changed', async () => {
    const first = await run(4)
    expect(first.err).not.toContain('error')
    expect(first.err).not.toContain('no whole checkpoint')
    expect(first.code).toBe(0)
    expect(
      readdirSync(out)
        .filter((name) => !name.startsWith('.'))
        .sort(),
    ).toEqual(['allocated', 'pruned', 'quantized', 'recovered', 'refined', 'report.html', 'results.json'])
    const { judged, formats } = JSON.parse(readFileSync(join(out, 'results.json'), 'utf8'))
    expect(judged.map(({ name }: { name: string }) => name)).toEqual([
      'original',
      'pruned',
      'quantized',
      'with LoftQ',
      'recovered',
    ])
    expect(formats.bits).toBeLessThanOrEqual(3.2)
    const bytes = judged.map((one: { bytes: number }) => one.bytes)
    expect(bytes[1]).toBeLessThan(bytes[0])
    expect(bytes[2]).toBeLessThan(bytes[1])
    expect(existsSync(join(out, 'recovered', 'adapter_model.safetensors'))).toBe(true)
    expect(first.out).toContain('recovered')

    const second = await run(4)
    expect(second.code).toBe(0)
    for (const stage of ['pruned', 'allocated', 'refined', 'quantized', 'recovered'])
      expect(second.err).toContain(`${stage}: done before`)
    expect(JSON.parse(readFileSync(join(out, 'results.json'), 'utf8')).judged).toEqual(judged)

    const third = await run(6)
    expect(third.err).toContain('quantized: done before')
    expect(third.err).not.toContain('recovered: done before')
  }, 60_000)

  it('says what is wrong in one line and leaves nothing behind', async () => {
    writeFileSync(
      join(root, 'bad.yaml'),
      yaml(4)
        .replace('3.2', '1.5')
        .replace(out, join(root, 'other'))
        .replace(/^prune.*$/m, ''),
    )
    const said: string[] = []
    const streams = { stdout: { write: () => {} }, stderr: { write: (chunk: string) => said.push(chunk) } }
    expect(await main(['qpruner', join(root, 'bad.yaml')], streams)).toBe(2)
    expect(said.at(-1)).toContain('budget bits: expected at least 2.5 bits per weight')
    expect(existsSync(join(root, 'other'))).toBe(false)
  })
})

it('refuses a folder that another run is writing', async () => {
  const file = join(root, 'locked.yaml')
  writeFileSync(file, yaml(1).replace(out, join(root, 'locked')))
  mkdirSync(join(root, 'locked'))
  const unlock = lockOutput(join(root, 'locked', '.lock'), join(root, 'locked'), 'output_dir')
  let err = ''
  const sink = { write: () => true }
  const code = await main(['qpruner', file], { stdout: sink, stderr: { write: (text: string) => (err += text) } })
  unlock()
  expect([code, err]).toEqual([2, expect.stringContaining('output_dir: expected a place that nobody else writes to')])
  expect(readdirSync(join(root, 'locked'))).toEqual([])
})
