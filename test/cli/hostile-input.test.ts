// Every command with what is not what it should be: pipes, devices, directories, links, names, YAML made to break its reader. Each ends at
// once, in one line that says what to do, with its exit code, and never in a stack. What is named as an output lies in a folder of the test.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import {
  cpSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { tinyModelDirectory } from '../tiny-model.ts'

const WORKER = fileURLToPath(new URL('main-worker.ts', import.meta.url))
/** Far more than any of these takes; a hang is found, a busy machine is none. */
const PATIENCE_MS = 40_000

const root = mkdtempSync(join(tmpdir(), 'anneal-hostile-'))
const at = (name: string): string => join(root, name)
/** A model in place of `M`, the folder of the test in place of `@`. */
const words = (line: string): string[] =>
  line
    .split(' ')
    .map((word) => word.replace(/^M$/, at('model')).replace('LONG', 'n'.repeat(300)).replace(/^@/, `${root}/`))

/** Files of a model directory, each of which is a named pipe in a directory of its own. */
const PARTS = [
  'config.json',
  'generation_config.json',
  'model.safetensors',
  'model.safetensors.index.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'added_tokens.json',
  'chat_template.jinja',
  'adapter_config.json',
  'lineage.json',
]

let worker: { child: ChildProcess; lines: AsyncIterator<string>; complaints: string }

function startWorker(): typeof worker {
  const child = spawn(process.execPath, ['--import', 'tsx', WORKER], { stdio: ['pipe', 'pipe', 'pipe'] })
  const started = { child, lines: createInterface({ input: child.stdout! })[Symbol.asyncIterator](), complaints: '' }
  child.stderr!.on('data', (data) => (started.complaints += data))
  return started
}

async function run(line: string): Promise<{ code: number; err: string }> {
  worker.child.stdin!.write(`${JSON.stringify(words(line))}\n`)
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<'late'>((resolve) => {
    timer = setTimeout(resolve, PATIENCE_MS, 'late')
  })
  const next = await Promise.race([worker.lines.next(), late])
  clearTimeout(timer)
  if (next !== 'late' && next.done !== true) return JSON.parse(next.value)
  const { complaints } = worker
  worker.child.kill('SIGKILL')
  worker = startWorker()
  throw new Error(next === 'late' ? `anneal ${line} hangs` : `anneal ${line} ends the process: ${complaints}`)
}

beforeAll(async () => {
  const { directory } = await tinyModelDirectory()
  renameSync(directory, at('model'))
  for (const name of PARTS) {
    cpSync(at('model'), at(`without-${name}`), { recursive: true })
    rmSync(at(`without-${name}/${name}`), { force: true })
    execFileSync('mkfifo', [at(`without-${name}/${name}`)])
  }
  for (const name of ['pipe', 'pipe.jsonl', 'pipe.json', 'pipe.gguf']) execFileSync('mkfifo', [at(name)])
  for (const name of ['folder', 'folder.jsonl', 'folder.gguf', 'pipes']) mkdirSync(at(name))
  execFileSync('mkfifo', [at('pipes/config.json')])
  for (const [name, target] of Object.entries({
    dangling: 'nowhere',
    loop: 'loop',
    zero: '/dev/zero',
    'zero.jsonl': '/dev/zero',
    'zero.json': '/dev/zero',
  }))
    symlinkSync(target, at(name))
  for (const [name, text] of Object.entries({
    text: 'Once upon a time there was a model.\n'.repeat(20),
    'text.txt': 'Once upon a time there was a model.\n'.repeat(20),
    empty: '',
    'empty.jsonl': '',
    'nul.txt': 'a\0b\0'.repeat(50),
    'brackets.yaml': `dataset: ${'['.repeat(200_000)}`,
    'dashes.yaml': '- '.repeat(100_000),
    'questions.yaml': '? '.repeat(100_000),
    'stairs.yaml': Array.from({ length: 400 }, (_, i) => `${' '.repeat(i)}a:`).join('\n'),
    'two.yaml': 'stage: sft\n---\nstage: dpo\n',
    'bomb.yaml': Array.from(
      { length: 9 },
      (_, i) => `a${i}: &a${i} [${Array(9).fill(i === 0 ? 'x' : `*a${i - 1}`)}]`,
    ).join('\n'),
    'itself.yaml': 'dataset: &a [*a]\n',
    'nul.yaml': 'output_dir: "a\\0b"\n',
    'escape.yaml': '"\\e[2Jx": 1\n',
    'tag.yaml': 'stage: !!js/function x\n',
    'list.yaml': '- stage\n',
    'junk.yaml': '\u0001\ufffd\u0002',
    'proto.yaml': '__proto__: {stage: sft}\nconstructor: 1\n',
  }))
    writeFileSync(at(name), text)
  writeFileSync(at('secret'), 'x', { mode: 0o000 })
  mkdirSync(at('locked'), { mode: 0o555 })
  writeFileSync(at('junk'), Buffer.from(Array.from({ length: 4000 }, (_, i) => (i * 7919) % 256)))
  worker = startWorker()
}, 120_000)
afterAll(() => {
  worker?.child.kill('SIGKILL')
  rmSync(root, { recursive: true })
})

const THINGS = ['@pipe', '@folder', '@dangling', '@loop', '@zero', '@empty', '@nul.txt', '@junk', '@text/x', '@LONG']
/** Root may read and write everything, so rights are asked about only as somebody else. */
const isRoot = process.getuid?.() === 0
if (!isRoot) THINGS.push('@secret')
const YAML = [
  'brackets',
  'dashes',
  'questions',
  'stairs',
  'two',
  'bomb',
  'itself',
  'nul',
  'escape',
  'tag',
  'list',
  'junk',
  'proto',
]
const PRETRAIN = 'train --stage pretrain --max_length 16 --max_steps 1 --device cpu --output_dir @out'

/** What stands in place of `X`, and in which command lines. */
const SLOTS: [string, string[], string[]][] = [
  [
    'a configuration',
    [...THINGS, ...YAML.map((name) => `@${name}.yaml`), '@pipe.json', '@zero.json', '.'],
    ['train X', 'qpruner X'],
  ],
  ['rows', ['@pipe.jsonl', '@folder.jsonl', '@zero.jsonl', '@empty.jsonl'], ['train X --model M']],
  [
    'a text to learn from',
    [...THINGS, '@pipe.jsonl', '@zero.jsonl'],
    [
      `${PRETRAIN} --model_name_or_path M --dataset X`,
      'tokenizer train X --vocab-size 300 --out @out',
      'sleb --model M --data X --remove 1 --length 16 --out @out',
      'prune --model M --data X --ratio 0.1 --out @out',
      'quantize --model M --data X --budget-bits 4 --out @out',
    ],
  ],
  [
    'a text to read',
    THINGS.filter((name) => !['@empty', '@nul.txt'].includes(name)),
    ['score --model M --text X', 'generate --model M --prompt-file X --max-new-tokens 1'],
  ],
  ['token ids', THINGS, ['score --model M --ids X']],
  [
    'a model',
    [...THINGS, '@pipe.gguf', '@folder.gguf', '@pipes'],
    [
      'generate --prompt x --model X',
      'score --text @text --model X',
      'export --to hf --out @out --model X',
      'sleb --data @text.txt --remove 1 --out @out --model X',
      'prune --data @text.txt --ratio 0.1 --out @out --model X',
      'quantize --bits 4 --out @out --model X',
      `${PRETRAIN} --dataset @text.txt --model_name_or_path X`,
    ],
  ],
  ['something to check', THINGS, ['check X']],
  [
    'an adapter',
    THINGS,
    ['generate --model M --prompt x --adapter X', 'export --to hf --model M --out @out --adapter X'],
  ],
  [
    'a folder to write',
    [
      '@text',
      '@text/x',
      '@pipe',
      '@dangling',
      '@loop',
      '@LONG',
      '/proc/x',
      '/proc/self/x',
      ...(isRoot ? [] : ['@locked', '@locked/x']),
    ],
    [
      'tokenizer train @model/config.json --vocab-size 300 --out X',
      'sleb --model M --data @text.txt --remove 0 --length 16 --out X',
      'prune --model M --data @text.txt --ratio 0.1 --importance l2 --out X',
      'quantize --model M --bits 4 --out X',
      'export --to hf --model M --out X',
    ],
  ],
  ['a file to write', ['@folder', '@text/x', '@pipe', '@LONG', '/proc/x'], ['export --to gguf --model M --out X']],
  [
    'a journal',
    ['@folder', '@pipe', '@zero', '@loop', '@text', '@text/x', '/proc/x'],
    ['sleb --model M --data @text.txt --remove 1 --length 16 --out @out --journal X'],
  ],
]

describe.each(SLOTS)('in place of %s', (_, things, lines) => {
  it.each(things.flatMap((thing) => lines.map((line) => line.replace('X', thing))))('%s', async (line) => {
    const before = readdirSync(root)
    const { code, err } = await run(line)
    rmSync(at('out'), { recursive: true, force: true })
    expect([2, 3, 4], err).toContain(code)
    const said = err.trimEnd().split('\n')
    const errors = said.filter((each) => each.startsWith('error: '))
    if (!line.startsWith('check ')) expect(errors, err).toEqual([said.at(-1)])
    expect(errors.join(), err).not.toMatch(/^error: E[A-Z]+:|\[object|undefined|Maximum call stack|null bytes/)
    expect(err).not.toMatch(/^\s+at /m)
    expect(err).not.toMatch(/[\u0000-\u0008\u000b-\u001f]/)
    expect(readdirSync(root)).toEqual(before)
    expect(lstatSync(at('pipe')).isFIFO() && lstatSync(at('dangling')).isSymbolicLink()).toBe(true)
  })
})

describe('a model directory of which one file is a pipe', () => {
  it.each(
    PARTS.flatMap((name) =>
      [
        'score --model X --text @text --json',
        'generate --model X --prompt x --max-new-tokens 1',
        'export --to hf --model X --out @out',
        'check X',
        'sleb --model X --data @text.txt --remove 0 --length 16 --out @out',
      ].map((line) => line.replace('X', `@without-${name}`)),
    ),
  )('%s never waits for it', async (line) => {
    const { code, err } = await run(line)
    rmSync(at('out'), { recursive: true, force: true })
    expect(err).not.toMatch(/^\s+at |^error: E[A-Z]+:/m)
    expect([0, 2, 3], err).toContain(code)
  })
})
