// The whole demo on a small text, as a user would run it: minutes become seconds with `--steps`.

import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runCommand } from '../../test/run-command.ts'
import { collect } from '../lm/lm.ts'
import { loadLm } from '../run/load-lm.ts'
import { command } from './demo.ts'

let folder: string
let out: string
let text: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'anneal-demo-'))
  out = join(folder, 'out')
  text = join(folder, 'text')
  mkdirSync(text)
  const sentences = (subject: string): string[] =>
    Array.from(
      { length: 70 },
      (_, day) => `On day ${day} the ${subject} was seen ${day % 7} times, and somebody wrote it down.`,
    )
  for (const subject of ['heron', 'otter', 'kingfisher'])
    writeFileSync(join(text, `${subject}.md`), `# The ${subject}\n\n${sentences(subject).join('\n\n')}\n`)
  writeFileSync(join(text, 'package.json'), '{}')
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function run(...words: string[]) {
  return runCommand(command, [...words, '--steps', '5'])
}

describe('anneal demo', () => {
  let err: string
  beforeAll(async () => {
    const result = await run('--text', text, '--out', out, '--seed', '7')
    expect(result.code, result.err).toBe(0)
    expect(result.out).toBe('')
    err = result.err
  })

  it('leaves data, a tokenizer, a model and a report', () => {
    const entries = ['.anneal-demo', 'adapter', 'data', 'demo.json', 'model', 'report.html', 'tokenizer']
    expect(readdirSync(out).sort()).toEqual(entries)
    expect(readdirSync(join(out, 'adapter')).sort()).toEqual([
      'README.md',
      'adapter_config.json',
      'adapter_model.safetensors',
    ])
    const rows = readFileSync(join(out, 'data', 'train', '00000.jsonl'), 'utf8')
      .trimEnd()
      .split('\n')
    expect(JSON.parse(rows[0]!).text).toMatch(/^# The heron\n\nOn day 0 the heron was seen 0 times/)
    expect(readdirSync(join(out, 'model'))).toEqual(
      expect.arrayContaining([
        'chat_template.jinja',
        'model.safetensors',
        'runs',
        'tokenizer.json',
        'train_config.yaml',
        'trainer_state.json',
      ]),
    )
  })

  it('gives a model that continues a text and answers in a chat', async () => {
    const engine = await loadLm(join(out, 'model'))
    expect(engine.canChat).toBe(true)
    expect(engine.generationConfig.temperature).toBe(0.7)
    const prompts = [{ prompt: 'On day' }, { messages: [{ role: 'user', content: 'Who was seen?' }] }]
    for (const prompt of prompts) {
      const { tokenIds } = await collect(engine.generate({ ...prompt, maxNewTokens: 4, seed: 1 }))
      expect(tokenIds.length).toBeGreaterThan(0)
    }
    engine.free()
  })

  it('measures that the model is better than before', () => {
    const { pretrain, evaluate } = JSON.parse(readFileSync(join(out, 'demo.json'), 'utf8'))
    expect(pretrain.steps).toBe(5)
    expect(evaluate.after.loss).toBeLessThan(evaluate.before.loss)
    expect(evaluate.after.loss).toBeCloseTo(pretrain.held_out_loss, 5)
    expect(evaluate.after.perplexity).toBeCloseTo(Math.exp(evaluate.after.loss), 6)
    expect(evaluate.token_frequencies.loss).toBeGreaterThan(0)
    expect(evaluate.decode_tokens_per_second).toBeGreaterThan(0)
  })

  it('fine-tunes on a kind of text that pre-training did not see, with DropBP and without', async () => {
    const { finetune } = JSON.parse(readFileSync(join(out, 'demo.json'), 'utf8'))
    expect(finetune.steps).toBe(5)
    for (const arm of [finetune.lora, finetune.lora_dropbp]) {
      expect(arm.loss_after).toBeLessThan(arm.loss_before)
      expect(arm.loss_before).toBe(finetune.lora.loss_before)
    }
    expect(finetune.lora_dropbp.loss_after).not.toBe(finetune.lora.loss_after)
    expect(finetune.lora_dropbp.peak_bytes).toBeLessThan(finetune.lora.peak_bytes)
    expect(finetune.drop_rates).toHaveLength(8)
    const text = (part: string): string => readFileSync(join(out, 'data', part, '00000.jsonl'), 'utf8')
    const usual = text('train') + text('held-out')
    for (const row of `${text('apart/train')}${text('apart/held-out')}`.trimEnd().split('\n'))
      expect(usual).not.toContain(row)
  })

  it('leaves an adapter that generate takes', async () => {
    const main = await import('./generate.ts')
    const words = [
      '--model',
      join(out, 'model'),
      '--adapter',
      join(out, 'adapter'),
      '--prompt',
      'On',
      '--max-new-tokens',
      '3',
    ]
    expect((await runCommand(main.command, words)).code).toBe(0)
  })

  it('writes a report with the figures', () => {
    const html = readFileSync(join(out, 'report.html'), 'utf8')
    const { evaluate } = JSON.parse(readFileSync(join(out, 'demo.json'), 'utf8'))
    expect(html).toContain(evaluate.after.bits_per_byte.toFixed(2))
    for (const title of [
      'The text',
      'Training',
      'Before and after',
      'Fine-tuning',
      'Where the time went',
      'What to try next',
    ])
      expect(html).toContain(`<h2>${title}</h2>`)
    for (const chart of [
      'Loss',
      'Learning rate',
      'Speed',
      'Held-out text',
      'Loss of fine-tuning',
      'Drop rate of each branch',
      'Stages of the demo',
    ])
      expect(html).toContain(`<h3>${chart}</h3>`)
  })

  it('ends with a table of the stages and commands to try', () => {
    for (const stage of ['text', 'tokenizer', 'pretrain', 'evaluate', 'finetune', 'report', 'in all'])
      expect(err).toMatch(new RegExp(`^  ${stage} +[\\d.]+ s`, 'm'))
    expect(err).toMatch(/^ {2}.* generate --model \S+\/out\/model --prompt /m)
    expect(err).toMatch(/^ {2}.* generate --model \S+\/out\/model --adapter \S+\/out\/adapter --prompt /m)
    expect(err).toMatch(/^ {2}.* chat --model \S+\/out\/model$/m)
  })

  it('keeps what was made from the same text with the same settings, and says so', async () => {
    const before = readFileSync(join(out, 'demo.json'), 'utf8')
    const { code, err: said } = await run('--text', text, '--out', out, '--seed', '7')
    expect(code).toBe(0)
    expect(said).toContain(`the demo in ${out} was made from this text with these settings, and is kept`)
    expect(said).toMatch(/^ {2}.* chat --model \S+\/out\/model$/m)
    expect(said).not.toContain('training')
    expect(readFileSync(join(out, 'demo.json'), 'utf8')).toBe(before)
  })

  it('puts a demo of other settings in its place, and gives the same model for the same seed and steps', async () => {
    const weights = readFileSync(join(out, 'model', 'model.safetensors'))
    writeFileSync(join(out, 'model', 'old.txt'), 'from the first run')
    // Another hash, so that all is made again; what it is made from is the same.
    const results = JSON.parse(readFileSync(join(out, 'demo.json'), 'utf8'))
    writeFileSync(join(out, 'demo.json'), JSON.stringify({ ...results, inputs: 'other' }))
    const result = await run(text, '--out', out, '--seed', '7', '--json')
    expect(result.code).toBe(0)
    expect(existsSync(join(out, 'model', 'old.txt'))).toBe(false)
    expect(readFileSync(join(out, 'model', 'model.safetensors')).equals(weights)).toBe(true)
    expect(readdirSync(folder).filter((name) => name.startsWith('.'))).toEqual([])
    for (const file of ['model/train_config.yaml', 'adapter/adapter_config.json']) {
      const said = readFileSync(join(out, file), 'utf8')
      expect(said).toContain(join(out, 'model'))
      expect(said).not.toContain('.tmp-')
    }
    const events = result.out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(events.filter(({ type }) => type === 'stage-done').map(({ stage }) => stage)).toEqual([
      'text',
      'tokenizer',
      'pretrain',
      'evaluate',
      'finetune',
      'report',
    ])
    expect(events.at(-1)).toMatchObject({ type: 'demo-done', model: join(out, 'model'), kept: false })
  })
})

describe('anneal demo as a process', () => {
  it('saves and exits with 130 on Ctrl-C, and says how to go on', async () => {
    const stopped = join(folder, 'stopped')
    const main = fileURLToPath(new URL('./main.ts', import.meta.url))
    const words = ['demo', '--text', text, '--out', stopped, '--steps', '100000', '--json']
    const child = spawn(process.execPath, ['--import', 'tsx', main, ...words], { stdio: ['ignore', 'pipe', 'pipe'] })
    let err = ''
    child.stderr.on('data', (data) => (err += data))
    // Once only, though several events name step 3: a second signal ends the run without saving.
    let isSent = false
    createInterface(child.stdout).on('line', (line) => {
      if (!isSent && line.includes('"step":3,')) isSent = child.kill('SIGINT')
    })
    const code = await new Promise((resolve) => child.on('close', resolve))
    expect(code, err).toBe(130)
    expect(readdirSync(join(stopped, 'model')).some((name) => name.startsWith('checkpoint-'))).toBe(true)
    expect(err).toMatch(/To go on: .* train \S+\/train_config\.yaml --resume_from_checkpoint auto/)
    expect(existsSync(join(stopped, 'report.html'))).toBe(false)
  })
})

describe('anneal demo, given something else than text', () => {
  const target = (): string => join(folder, 'nothing')
  async function refused(words: string[], code: number, message: RegExp): Promise<void> {
    const result = await run(...words, '--out', target())
    expect(result.err.trimEnd().split('\n').at(-1)).toMatch(message)
    expect(result.code).toBe(code)
    expect(existsSync(target())).toBe(false)
  }

  it('refuses an empty folder', async () => {
    const empty = join(folder, 'empty')
    mkdirSync(empty)
    await refused(['--text', empty], 3, /^error: directory .*empty: expected a file ending in \.txt/)
  })
  it('refuses a path that is not there', async () => {
    await refused(
      ['--text', join(folder, 'missing')],
      3,
      /^error: path .*missing: expected a file or directory, got nothing/,
    )
  })
  it('refuses files that hold no text', async () => {
    const blank = join(folder, 'blank')
    mkdirSync(blank)
    writeFileSync(join(blank, 'a.txt'), ' \n\n')
    await refused(['--text', blank], 3, /^error: data in .*blank: expected at least one row, got none/)
  })
  it('says how much text it needs', async () => {
    const little = join(folder, 'little.txt')
    writeFileSync(little, 'Once upon a time there was a heron that stood in the river.\n')
    await refused(
      ['--text', little],
      3,
      /^error: text in .*little\.txt: expected at least 10000 characters of it, got 59\. Give more with --text PATH$/,
    )
  })
  it('says what was wrong with text that is there', async () => {
    const rows = join(folder, 'rows.jsonl')
    writeFileSync(rows, '{"text": "The same sentence about the sea, again and again."}\n'.repeat(500))
    await refused(['--text', rows], 3, /got 49 \(499 passages were too short, repeated, or hardly words\)/)
  })
  it('names the fields of rows without text', async () => {
    const rows = join(folder, 'chats.jsonl')
    writeFileSync(rows, '{"question": "Why?", "answer": "Because."}\n'.repeat(30))
    await refused(['--text', rows], 3, /found columns question, answer/)
  })
  it('refuses binary files', async () => {
    const binary = join(folder, 'binary.txt')
    writeFileSync(binary, Buffer.from(Array.from({ length: 20_000 }, (_, i) => (i * 37) % 251)))
    await refused(['--text', binary], 3, /^error: /)
  })

  it('never touches a folder that is not its own', async () => {
    const mine = join(folder, 'mine')
    mkdirSync(mine)
    writeFileSync(join(mine, 'report.html'), 'mine')
    const result = await run('--text', text, '--out', mine)
    expect(result).toMatchObject({
      code: 2,
      err: expect.stringMatching(
        /^error: --out: expected a new or empty folder .*, got the folder .*mine with other files\. Choose/,
      ),
    })
    expect(readFileSync(join(mine, 'report.html'), 'utf8')).toBe('mine')
  })
})
