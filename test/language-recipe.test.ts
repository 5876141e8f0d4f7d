// recipes/language/adapt.sh from raw text to a tuned and evaluated model, on texts of a few lines and a tiny model.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { parse } from 'yaml'
import { hashFile } from '../src/files/hash.ts'
import { tinyModelDirectory } from './tiny-model.ts'

// Eight commands, one process each.
vi.setConfig({ testTimeout: 600_000 })

const root = fileURLToPath(new URL('..', import.meta.url))
const directory = mkdtempSync(join(tmpdir(), 'anneal-adapt-'))
const at = (name: string): string => join(directory, name)
let model: Awaited<ReturnType<typeof tinyModelDirectory>>
beforeAll(async () => {
  model = await tinyModelDirectory({})
  const rows = (make: (i: number) => object): string =>
    Array.from({ length: 80 }, (_, i) => `${JSON.stringify(make(i))}\n`).join('')
  const words =
    'hest ko kat hund fugl fisk mus mark vej skov by hus dør vindue bord stol og en et der som med på i til var er så gik'
  const word = (n: number): string => words.split(' ')[Math.abs(Math.imul(n + 1, 2654435761) >> 16) % 29]!
  // No two resemble each other.
  const sentence = (i: number): string => Array.from({ length: 14 }, (_, k) => word(31 * i + 7 * k)).join(' ')
  writeFileSync(
    at('danish.jsonl'),
    rows((i) => ({ text: `Det var ${sentence(i)}.` })),
  )
  writeFileSync(
    at('english.jsonl'),
    rows((i) => ({ text: `We saw number ${i} in the field and went home again.` })),
  )
  writeFileSync(
    at('chats.jsonl'),
    rows((i) => ({ prompt: `Hvad er ${i}?`, completion: ` Et tal, nemlig ${i}.` })),
  )
  writeFileSync(
    at('test.jsonl'),
    ['correct', 'incorrect'].map((label) => `${JSON.stringify({ text: `En sætning til ${label}`, label })}\n`).join(''),
  )
})
afterAll(() => {
  model.remove()
  rmSync(directory, { recursive: true })
})

function adapt(settings: Record<string, string>): string {
  const anneal = `${process.execPath} --import tsx ${join(root, 'src/cli/main.ts')}`
  const env = { ...process.env, ANNEAL_CACHE: at('cache'), ANNEAL: anneal, ...settings }
  return execFileSync('sh', [join(root, 'recipes/language/adapt.sh')], {
    cwd: root,
    env,
    encoding: 'utf8',
    stdio: 'pipe',
  })
}

describe('recipes/language/adapt.sh', () => {
  it('goes from raw text to a tuned and evaluated model', () => {
    const few = '--device cpu --max_steps 4 --per_device_train_batch_size 2 --gradient_accumulation_steps 1'
    const out = at('run')
    const settings = {
      MODEL: model.directory,
      TEXT: at('danish.jsonl'),
      SOURCE: at('english.jsonl'),
      CHATS: at('chats.jsonl'),
      OUT: out,
      NEW_TOKENS: '30',
      CURATE: '--preset none',
      TRAIN: `${few} --max_length 32 --val_split 0.1 --save_steps 2`,
      TUNE: `${few} --max_length 128`,
      TASKS: 'scala',
      EVAL_DATA: directory,
    }
    const said = adapt(settings)
    expect(said).toContain(`→ ${out}/instruct`)
    const history = JSON.parse(readFileSync(join(out, 'adapted/trainer_state.json'), 'utf8')).log_history as object[]
    // Both languages are told of apart.
    expect(history.some((row) => 'eval_text_loss' in row && 'eval_english_loss' in row)).toBe(true)
    const dynamics = JSON.parse(readFileSync(join(out, 'adapted/dynamics/dynamics.json'), 'utf8'))
    expect(dynamics.base).toBe(join(out, 'base-30'))
    expect(dynamics.checkpoints.map(({ step }: { step: number }) => step)).toEqual([2, 4])
    expect(dynamics.leakage).toHaveProperty('scala')
    const told = history.findLast((row) => 'eval_text_loss' in row) as Record<string, number>
    expect(dynamics.evalLosses.text.at(-1)).toEqual([told.step, told.eval_text_loss])
    expect(Object.keys(dynamics.evalLosses).sort()).toEqual(['english', 'text'])
    expect(JSON.parse(readFileSync(join(out, 'base-30/config.json'), 'utf8')).vocab_size).toBeGreaterThan(261)
    expect(existsSync(join(out, 'instruct/adapter_config.json'))).toBe(true)
    expect(existsSync(join(out, 'eval'))).toBe(true)
    expect(existsSync(join(out, 'tried'))).toBe(false)

    // As it is where the training was killed behind its first checkpoint: the same again goes on, and ends with the same bits.
    const made = ['adapted/model.safetensors', 'instruct/adapter_model.safetensors'].map((name) => join(out, name))
    const before = made.map(hashFile)
    for (const { name } of readdirSync(join(out, 'adapted'), { withFileTypes: true }))
      if (name !== 'checkpoint-2') rmSync(join(out, 'adapted', name), { recursive: true })
    rmSync(join(out, 'instruct'), { recursive: true })
    adapt(settings)
    expect(made.map(hashFile)).toEqual(before)
  })

  it('says in a line what it is not given', () => {
    expect(() => adapt({ MODEL: '', TEXT: '', SOURCE: '' })).toThrow(/expected a model, such as MODEL=models\/base/)
  })

  it('takes a count of tokens and a share for nothing else', () => {
    const all = { MODEL: 'm', TEXT: 't', SOURCE: 's' }
    expect(() => adapt({ ...all, NEW_TOKENS: '4k' })).toThrow(/NEW_TOKENS: expected a whole number .* got '4k'/)
    for (const share of ['25%', '0,25', '1', '-0.5', '1/4'])
      expect(() => adapt({ ...all, REPLAY: share })).toThrow(`from 0 to below 1, got '${share}'`)
  })

  it('finds what it cannot read before it begins', () => {
    const out = at('early')
    const all = { MODEL: model.directory, TEXT: at('danish.jsonl'), SOURCE: at('english.jsonl'), OUT: out }
    expect(() => adapt({ ...all, SOURCE: at('none.jsonl') })).toThrow(/none\.jsonl: expected a file or directory/)
    expect(() => adapt({ ...all, CHATS: at('none.jsonl'), TRAIN: '--max_length 32' })).toThrow(
      /none\.jsonl: expected a file or directory/,
    )
    expect(existsSync(join(out, 'text'))).toBe(false)
  })

  it('learns without replay, and refuses another text in the same folder', () => {
    const all = { MODEL: model.directory, TEXT: at('danish.jsonl'), SOURCE: at('english.jsonl'), OUT: at('alone') }
    const few =
      '--device cpu --max_steps 1 --per_device_train_batch_size 2 --gradient_accumulation_steps 1 --max_length 32 --val_split 0 --eval_strategy no --save_steps 1'
    adapt({ ...all, REPLAY: '0', CURATE: '--preset none', TRAIN: few })
    const { dataset } = parse(readFileSync(join(all.OUT, 'adapted/train_config.yaml'), 'utf8'))
    expect([dataset].flat()).toEqual([join(all.OUT, 'text/data')])
    expect(() => adapt({ ...all, TEXT: at('english.jsonl'), CURATE: '--preset none', TRAIN: few })).toThrow(
      /made from other inputs or settings/,
    )
  })
})
