// Whole training runs for tests: a folder with a small corpus and its tokenizer, `anneal train` in this process or in one of its
// own, and what a finished run left, without the timings.
import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { main } from '../../src/cli/main.ts'
import { cacheDirectory } from '../../src/torch/setup/directories.ts'
import type { TrainEvent } from '../../src/train/events.ts'
import { TINY } from './tiny-model.ts'

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))
const TIMINGS = [
  'tokens_per_second',
  'eval_runtime',
  'eval_steps_per_second',
  'train_runtime',
  'train_steps_per_second',
]

/** How a run ended and what it said. `events` are its `--json` lines. */
export interface Ended {
  code: number | null
  signal: NodeJS.Signals | null
  events: TrainEvent[]
  out: string
  err: string
}

export interface Workspace {
  readonly directory: string
  /** Writes a configuration file for a run in the folder `name` and returns the words of `anneal` that start it. */
  words(name: string, config?: Record<string, unknown>): string[]
  /** The output directory of a run. */
  outputOf(name: string): string
  remove(): void
}

const { vocab_size: _, ...model } = TINY
const DEFAULTS = {
  stage: 'pretrain',
  model,
  max_length: 16,
  per_device_train_batch_size: 8,
  max_steps: 8,
  save_steps: 3,
  logging_steps: 2,
  learning_rate: 3e-3,
  device: 'cpu',
}

/** Caches of this process go into the folder from now on, so that no run finds what another left. */
export function useCacheIn(directory: string): void {
  const cache = join(directory, 'cache')
  mkdirSync(cache)
  // Where the package cannot be written, the note about the engine is in the cache.
  for (const name of existsSync(cacheDirectory()) ? readdirSync(cacheDirectory()) : [])
    if (/^engine.*\.json$/.test(name)) copyFileSync(join(cacheDirectory(), name), join(cache, name))
  process.env.ANNEAL_CACHE = cache
}

/** Makes the folder; token caches go there, too. */
export async function makeWorkspace(): Promise<Workspace> {
  const directory = mkdtempSync(join(tmpdir(), 'anneal-training-'))
  useCacheIn(directory)
  writeFileSync(join(directory, 'corpus.jsonl'), corpus(20))
  const tokenizer = join(directory, 'tokenizer')
  const made = await annealHere([
    'tokenizer',
    'train',
    join(directory, 'corpus.jsonl'),
    '--vocab-size',
    '300',
    '--out',
    tokenizer,
  ])
  if (made.code !== 0) throw new Error(made.err)
  const outputOf = (name: string): string => join(directory, name)
  return {
    directory,
    outputOf,
    words: (name, config = {}) => {
      const all = { ...DEFAULTS, tokenizer_name_or_path: tokenizer, dataset: join(directory, 'corpus.jsonl') }
      const file = join(directory, `${name}.yaml`)
      writeFileSync(file, JSON.stringify({ ...all, output_dir: outputOf(name), ...config })) // JSON is YAML
      return ['train', file, '--json']
    },
    remove: () => rmSync(directory, { recursive: true, force: true }),
  }
}

/** JSON lines of `documents` short texts in a language of 17 words. */
export function corpus(documents: number): string {
  const words = 'the red small model reads learns a token from text and writes it again slowly well then'.split(' ')
  let state = 7
  const word = (): string => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0
    return words[Math.floor((state / 2 ** 32) * words.length)]!
  }
  const text = (): string => `${Array.from({ length: 40 }, word).join(' ')}.`
  return Array.from({ length: documents }, () => `${JSON.stringify({ text: text() })}\n`).join('')
}

/** Runs a command in this process; a signal is pretended after the optimizer step `signalAfter`. */
export async function annealHere(words: readonly string[], signalAfter?: number): Promise<Ended> {
  const written = { out: '', err: '' }
  const stdout = {
    write: (text: string) => {
      written.out += text
      const event = signalAfter === undefined ? undefined : (JSON.parse(text) as TrainEvent)
      if (event?.type === 'step-done' && event.metrics.step === signalAfter) process.emit('SIGTERM', 'SIGTERM')
    },
  }
  const code = await main(words, { stdout, stderr: { write: (text: string) => (written.err += text) } })
  return { code, signal: null, events: eventsIn(written.out), ...written }
}

/** Starts a command in a process of its own; `shell` runs before it, in the same process. */
export function startAnneal(words: readonly string[], environment: NodeJS.ProcessEnv = {}, shell = ''): ChildProcess {
  const command = [process.execPath, '--import', 'tsx', MAIN, ...words]
  return spawn('bash', ['-c', `${shell} exec "$@"`, 'bash', ...command], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ANNEAL_THREADS: '1', ...environment },
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
  })
}

/** Waits for a process; `onStep` is called after each optimizer step that it reports. */
export async function endOf(child: ChildProcess, onStep: (step: number) => void = () => {}): Promise<Ended> {
  const written = { out: '', err: '' }
  let seen = 0
  child.stdout!.on('data', (data) => {
    written.out += data
    const complete = written.out.slice(seen, written.out.lastIndexOf('\n') + 1)
    seen += complete.length
    for (const event of eventsIn(complete)) if (event.type === 'step-done') onStep(event.metrics.step)
  })
  child.stderr!.on('data', (data) => (written.err += data))
  const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve) =>
    child.on('close', (...end) => resolve(end)),
  )
  return { code, signal, events: eventsIn(written.out.slice(0, written.out.lastIndexOf('\n') + 1)), ...written }
}

function eventsIn(lines: string): TrainEvent[] {
  return lines.split('\n').flatMap((line) => (line.startsWith('{"type":') ? [JSON.parse(line) as TrainEvent] : []))
}

/** Everything in a run's folder that must be the same when it is repeated: hashes of weights, states and logs without timings. */
export function resultOf(outputDir: string, lastStep: number): Record<string, unknown> {
  const hash = (name: string): string =>
    createHash('sha256')
      .update(readFileSync(join(outputDir, name)))
      .digest('hex')
  const last = `checkpoint-${lastStep}`
  const { log_history, best_model_checkpoint, ...state } = JSON.parse(
    readFileSync(join(outputDir, 'trainer_state.json'), 'utf8'),
  )
  return {
    final: hash('model.safetensors'),
    model: hash(`${last}/model.safetensors`),
    optimizer: hash(`${last}/optimizer.safetensors`),
    run: readFileSync(join(outputDir, last, 'run_state.json'), 'utf8'),
    state,
    best: best_model_checkpoint?.replace(outputDir, ''),
    log: log_history.map(withoutTimings),
    results: withoutTimings(JSON.parse(readFileSync(join(outputDir, 'all_results.json'), 'utf8'))),
  }
}

function withoutTimings(row: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(row).filter(([name]) => !TIMINGS.includes(name)))
}
