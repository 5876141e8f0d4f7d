import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readLineage } from '../../checkpoint/model-directory/lineage.ts'
import { loadDecoder } from '../../checkpoint/model-directory/load.ts'
import { saveDecoder } from '../../checkpoint/model-directory/save.ts'
import { main } from '../../cli/main.ts'
import { readModelConfig } from '../../model/config-read.ts'
import { Decoder } from '../../model/decoder.ts'
import { trainBpe } from '../../text/bpe.ts'

const root = mkdtempSync(join(tmpdir(), 'anneal-quantize-'))
const model = join(root, 'model')
const text = join(root, 'text.txt')
const WORDS = 'the cat sat on the mat and looked at the moon while a dog ran over the hill to see who was there'.split(
  ' ',
)

beforeAll(async () => {
  const lines = Array.from({ length: 500 }, (_, i) =>
    Array.from({ length: 9 }, (__, j) => WORDS[(i * 7 + j * j * 3) % WORDS.length]).join(' '),
  )
  writeFileSync(text, lines.join('\n'))
  const { tokenizer } = await trainBpe(lines, {
    vocabSize: 300,
    specialTokens: ['<|end|>'],
    roles: { eos: '<|end|>' },
  })
  const config = readModelConfig(
    {
      model_type: 'llama',
      vocab_size: tokenizer.vocabSize,
      hidden_size: 32,
      intermediate_size: 64,
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
  mkdirSync(model)
  saveDecoder(decoder, model)
  decoder.free()
  await tokenizer.save(model)
})
afterAll(() => rmSync(root, { recursive: true }))

async function run(...words: string[]): Promise<{ code: number; out: string; err: string }> {
  const [out, err]: [string[], string[]] = [[], []]
  const code = await main(words, {
    stdout: { write: (chunk: string) => out.push(chunk) },
    stderr: { write: (chunk: string) => err.push(chunk) },
  })
  return { code, out: out.join(''), err: err.join('') }
}

const TEXT = ['--data', text, '--samples', '4', '--max-length', '32', '--batch-size', '2', '--device', 'cpu']
const weightsOf = (directory: string): Buffer => readFileSync(join(directory, 'model.safetensors'))

describe('anneal quantize', () => {
  it('leaves the model as it is at 16 bits', async () => {
    const out = join(root, '16')
    chmodSync(join(model, 'tokenizer.json'), 0o444)
    const { code, out: said } = await run('quantize', '--model', model, '--out', out, '--bits', '16')
    expect([code, said]).toEqual([0, expect.stringContaining('16 bits: every matrix stays as it is\n')])
    expect(weightsOf(out).equals(weightsOf(model))).toBe(true)
    expect(statSync(join(out, 'tokenizer.json')).mode & 0o200).toBe(0o200) // also where the original may only be read
  })

  it('needs no text for one format, and writes a model that loads', async () => {
    const out = join(root, 'nf4')
    const { code, err } = await run('quantize', '--model', model, '--out', out, '--bits', '4', '--device', 'cpu')
    expect([code, err.includes('error')]).toEqual([0, false])
    const loaded = loadDecoder(out)
    loaded.free()
    const step = readLineage(out).at(-1)!
    expect([step.pass, step.options.formats]).toEqual(['quantize', ['nf4']])
    expect(Object.keys({ ...step.options, ...step.report })).not.toContain('budgetBits')
    expect(err).toContain('quantizing')
    expect(err).not.toContain('searching')
  })

  it('chooses formats within a budget and says what they cost', async () => {
    const out = join(root, 'mixed')
    const words = [
      'quantize',
      '--model',
      model,
      '--out',
      out,
      '--budget-bits',
      '3.2',
      '--allocate',
      'bo',
      '--evaluations',
      '8',
    ]
    const { code, out: printed } = await run(...words, ...TEXT, '--json')
    expect(code).toBe(0)
    const last = JSON.parse(printed.trim().split('\n').at(-1)!)
    expect(last.bits).toBeLessThanOrEqual(3.2)
    expect(last.units.length).toBe(3)
    expect(last.units.reduce((sum: number, { bytes }: { bytes: number }) => sum + bytes, 0)).toBe(last.bytes)
    expect(last.eval_perplexity_after).toBeGreaterThan(0)
    expect(readFileSync(join(out, 'quantize.html'), 'utf8')).toContain('Bits and loss')
    expect(JSON.parse(readFileSync(join(out, 'quantize.json'), 'utf8')).bits).toBe(last.bits)
    expect(readdirSync(root).filter((name) => name.startsWith('.'))).toEqual([])
  })

  it('goes on from its journal after an interruption', async () => {
    const [out, journal] = [join(root, 'resumed'), join(root, 'journal.jsonl')]
    const words = [
      'quantize',
      '--model',
      model,
      '--out',
      out,
      '--journal',
      journal,
      '--budget-bits',
      '3',
      '--allocate',
      'bo',
    ]
    const wanted = [...words, '--evaluations', '8', ...TEXT, '--json']
    let writes = 0
    const failing = {
      stdout: {
        write: () => {
          if (++writes === 4) throw new Error('interrupted')
        },
      },
      stderr: { write: () => {} },
    }
    expect(await main(wanted, failing)).toBe(1)
    expect([existsSync(out), existsSync(journal)]).toEqual([false, true])
    const resumed = await run(...wanted)
    expect(resumed.code).toBe(0)
    expect(resumed.err).toContain(`going on from ${journal}`)
    expect(existsSync(journal)).toBe(false)
    const fresh = await run(...wanted.map((word) => (word === out ? join(root, 'fresh') : word)))
    expect(weightsOf(out).equals(weightsOf(join(root, 'fresh')))).toBe(true)
    expect(fresh.err).not.toContain('going on')
  })

  it('says in one line what is wrong, and writes nothing', async () => {
    const wrong = async (...words: string[]): Promise<string> => {
      const out = join(root, 'none')
      const { code, err } = await run('quantize', '--model', model, '--out', out, ...words)
      expect(code).toBeGreaterThan(1)
      expect(existsSync(out)).toBe(false)
      return err.trim().split('\n').at(-1)!
    }
    expect(await wrong()).toContain('--bits: expected one of --bits, --format and --budget-bits, got none')
    expect(await wrong('--budget-bits', '2.1', ...TEXT)).toContain('budget bits: expected at least 2.5 bits per weight')
    expect(await wrong('--budget-bits', '3')).toContain('--data: expected text to measure on with sensitivity')
    expect(await wrong('--bits', '4', '--quantizer', 'gptq')).toContain('--data: expected text')
    expect(await wrong('--bits', '4', '--allocate', 'bo')).toContain('--allocate: expected --budget-bits with it')
    expect(await wrong('--budget-bits', '3', '--choose', 'nf5', ...TEXT)).toContain('--choose: expected nf4 or')
    const short = join(root, 'short.txt')
    writeFileSync(short, 'the cat')
    expect(await wrong('--budget-bits', '3', '--data', short)).toContain('expected at least 512 tokens')
    const { code, err } = await run('quantize', '--model', model, '--out', '/proc/none/x', '--bits', '4')
    expect(code).toBe(2)
    expect(err).toContain('--out: expected a folder that can be written')
    expect(readdirSync(root).filter((name) => name.startsWith('.'))).toEqual([])
  })

  it('refuses a model that is quantized already, and a folder that is in use', async () => {
    const again = await run('quantize', '--model', join(root, 'nf4'), '--out', join(root, 'twice'), '--bits', '2')
    expect(again.err).toContain('--model: expected full-precision weights')
    const used = join(root, 'used')
    cpSync(model, used, { recursive: true })
    expect((await run('quantize', '--model', model, '--out', used, '--bits', '2')).err).toContain(
      '--out: expected a new',
    )
  })
})
