// `make bench`: ours against PyTorch + Transformers on the same LibTorch release, threads, dtype, batch and weights. Parity is shown first;
// then warm processes take turns, block by block, and the ratio of each pair is what counts. Without a Python that has torch and
// transformers (BENCH_PYTHON, or python3), ours alone is printed. Results go to bench/results/.
import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const here = fileURLToPath(new URL('.', import.meta.url))
const python = process.env.BENCH_PYTHON ?? 'python3'
const pairs = Number(process.env.BENCH_PAIRS ?? 7)
const wanted = process.argv.slice(2)
const scratch = mkdtempSync(join(tmpdir(), 'anneal-bench-'))
const shapes = { '1M': [512, 8, 128], '22M': [8192, 4, 256], '135M': [49152, 2, 256] } as const
type Shape = keyof typeof shapes
type Row = Record<string, unknown> & { name: string; ratio?: number; target?: string; met?: boolean }

const hasPeer = spawnSync(python, ['-c', 'import torch, transformers'], { stdio: 'ignore' }).status === 0
const tsx = (file: string): [string, string[]] => [process.execPath, ['--import', 'tsx', join(here, file)]]
const ours: [string, string[]] = tsx('ours.ts')
const peer: [string, string[]] = [python, [join(here, 'peers/transformers_peer.py')]]

/** A warm process that measures one block per line. */
class Contestant {
  private readonly child
  private readonly lines: AsyncIterator<string>
  constructor([program, first]: [string, string[]], rest: string[]) {
    this.child = spawn(program, [...first, ...rest, '--interactive'], { stdio: ['pipe', 'pipe', 'inherit'] })
    this.lines = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]()
  }
  async next(): Promise<Record<string, never>> {
    for (;;) {
      const { value, done } = await this.lines.next()
      if (done) throw new Error('the measured process ended early')
      if (value.startsWith('{')) return JSON.parse(value)
    }
  }
  async block(): Promise<Record<string, number> & { losses?: number[]; token_ids?: number[] }> {
    this.child.stdin.write('\n')
    return this.next()
  }
  end(): void {
    this.child.stdin.end()
  }
}

const median = (list: number[]): number => list.toSorted((a, b) => a - b)[list.length >> 1]!

/** 95 % bootstrap interval of the median, with a fixed generator: the same numbers give the same interval. */
function interval(list: number[]): [number, number] {
  let state = 1
  const random = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
  const medians = Array.from({ length: 2000 }, () => median(list.map(() => list[Math.floor(random() * list.length)]!)))
  medians.sort((a, b) => a - b)
  return [medians[50]!, medians[1949]!]
}

interface MadeModel {
  model: string
  /** A LoRA for it. */
  adapter: string
  ids: string
}

function makeModel(shape: Shape): MadeModel {
  const model = join(scratch, shape)
  const adapter = `${model}-adapter`
  run([...tsxArguments('make-model.ts'), shape, model, adapter])
  const [vocab, rows, length] = shapes[shape]
  let state = 7
  const id = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * vocab)
  }
  const ids = join(scratch, `${shape}.json`)
  writeFileSync(
    ids,
    JSON.stringify(Array.from({ length: 4 }, () => Array.from({ length: rows }, () => Array.from({ length }, id)))),
  )
  return { model, adapter, ids }
}

function tsxArguments(file: string): string[] {
  const [program, list] = tsx(file)
  return [program, ...list]
}

function run([program = '', ...list]: string[]): Record<string, unknown> {
  const result = spawnSync(program, list, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    maxBuffer: 1 << 28,
  })
  if (result.status !== 0) throw new Error(`${program} ${list.join(' ')} failed`)
  const line = result.stdout.trim().split('\n').at(-1)!
  return line.startsWith('{') ? JSON.parse(line) : {}
}

/** Up to `limit` characters of the Markdown that packages ship, again and again if there is less: real prose that every checkout has. */
function markdown(root: string, limit: number): string {
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.md'))
  let text = ''
  for (const name of files.toSorted()) text += `${readFileSync(join(root, name), 'utf8')}\n`
  while (text.length < limit) text += text
  return text.slice(0, limit)
}

function checkParity(options: string[]): number {
  const list = ['parity', ...options]
  const mine = run([ours[0], ...ours[1], ...list]) as { loss: number; grad_norm: number }
  const theirs = run([peer[0], ...peer[1], ...list]) as { loss: number; grad_norm: number }
  const difference = Math.max(Math.abs(mine.loss / theirs.loss - 1), Math.abs(mine.grad_norm / theirs.grad_norm - 1))
  if (!(difference < 1e-4))
    throw new Error(`not parity, so no speed is printed: loss ${mine.loss} against ${theirs.loss}`)
  return difference
}

/** Blocks of the two engines in turn; `figure` picks the number, `memory` adds peak resident memory. */
async function duel(
  name: string,
  list: string[],
  figure: string,
  target: (ratio: number) => boolean,
  goal: string,
): Promise<Row> {
  const mine = new Contestant(ours, list)
  await mine.next()
  const theirs = hasPeer ? new Contestant(peer, list) : undefined
  await theirs?.next()
  const a: number[] = []
  const b: number[] = []
  let last: Awaited<ReturnType<Contestant['block']>> | undefined
  let lastPeer: typeof last
  for (let i = 0; i < pairs + 1; i++) {
    last = await mine.block()
    lastPeer = await theirs?.block()
    if (i === 0) continue // warm-up
    a.push(last[figure]!)
    if (lastPeer) b.push(lastPeer[figure]!)
  }
  mine.end()
  theirs?.end()
  const row: Row = {
    name,
    figure,
    ours: median(a),
    ...(last!.peak_rss_mib && { ours_peak_rss_mib: last!.peak_rss_mib }),
  }
  if (!lastPeer) return row
  const ratios = a.map((value, i) => value / b[i]!)
  const ratio = median(ratios)
  Object.assign(row, { peer: median(b), ratio, ci95: interval(ratios), goal, met: target(ratio) })
  if (last!.losses)
    row.loss_difference = Math.max(...last!.losses.map((loss, i) => Math.abs(loss - lastPeer.losses![i]!)))
  if (last!.token_ids) row.same_tokens = last!.token_ids.join() === lastPeer.token_ids!.join()
  if (last!.peak_rss_mib)
    Object.assign(row, {
      peer_peak_rss_mib: lastPeer.peak_rss_mib,
      memory_ratio: last!.peak_rss_mib / lastPeer.peak_rss_mib!,
    })
  return row
}

/** Decoding against llama.cpp on the same weights, in turn; needs BENCH_LLAMA_CPP (a folder with node-llama-cpp) and a Python with gguf. */
async function againstLlamaCpp(shape: Shape, model: string): Promise<Row> {
  const name = `decode against llama.cpp, ${shape}, fp32, batch 1`
  const file = `${model}.gguf`
  if (
    process.env.BENCH_LLAMA_CPP === undefined ||
    spawnSync(python, ['-c', 'import gguf'], { stdio: 'ignore' }).status !== 0
  )
    return { name, skipped: 'no node-llama-cpp or gguf' }
  run([python, join(here, 'peers/to_gguf.py'), model, file])
  const ids = Array.from({ length: 16 }, (_, i) => (i * 37) % shapes[shape][0])
  const prompt = join(scratch, `${shape}-llama.json`)
  writeFileSync(prompt, JSON.stringify([ids]))
  const a: number[] = []
  const b: number[] = []
  let isSame = true
  for (let i = 0; i < pairs; i++) {
    const theirs = run([process.execPath, join(here, 'peers/llama_cpp_peer.mjs'), file, JSON.stringify(ids), '64', '2'])
    const mine = run([ours[0], ...ours[1], 'decode', '--model', model, '--ids', prompt])
    a.push(Number(mine.tokens_per_second))
    b.push(Number(theirs.tokens_per_second))
    isSame &&= JSON.stringify(mine.token_ids) === JSON.stringify(theirs.token_ids)
  }
  const ratios = a.map((value, i) => value / b[i]!)
  const ratio = median(ratios)
  return {
    name,
    figure: 'tokens_per_second',
    ours: median(a),
    peer: median(b),
    ratio,
    ci95: interval(ratios),
    same_tokens: isSame,
    goal: '≥ 1',
    met: ratio >= 1,
  }
}

async function main(): Promise<void> {
  const rows: Row[] = []
  const take = async (name: string, make: () => Promise<Row>): Promise<void> => {
    if (wanted.length > 0 && !wanted.includes(name)) return
    const row = await make()
    rows.push(row)
    console.log(JSON.stringify(row))
  }
  const models = new Map<Shape, MadeModel>()
  const modelOf = (shape: Shape): MadeModel => {
    const made = models.get(shape) ?? makeModel(shape)
    models.set(shape, made)
    return made
  }
  for (const shape of ['1M', '22M'] as const) {
    await take(`step-${shape}`, async () => {
      const { model, ids } = modelOf(shape)
      const parity = hasPeer ? checkParity(['--model', model, '--ids', ids]) : undefined
      const steps = shape === '1M' ? '20' : '5'
      const row = await duel(
        `training step, ${shape}, fp32, 2 threads`,
        ['step', '--model', model, '--ids', ids, '--steps', steps],
        'median_ms',
        (r) => r <= 0.9,
        '≤ 0.90',
      )
      return { ...row, parity }
    })
  }
  await take('lora-22M', async () => {
    const { model, ids } = modelOf('22M')
    const list = ['step', '--finetuning', 'lora', '--model', model, '--ids', ids, '--steps', '5']
    return duel('LoRA step (all linears, r 8), 22M, fp32, 2 threads', list, 'median_ms', (r) => r <= 0.9, '≤ 0.90')
  })
  for (const finetuning of ['lora', 'full'] as const) {
    await take(finetuning === 'lora' ? 'dpo-22M' : 'dpo-full-22M', async () => {
      const { model, adapter, ids } = modelOf('22M')
      const list = ['--objective', 'dpo', '--model', model, '--ids', ids]
      if (finetuning === 'lora') list.push('--adapter', adapter)
      const parity = hasPeer ? checkParity(list) : undefined
      if (parity !== undefined) console.log(JSON.stringify({ name: 'parity of a DPO step', finetuning, parity }))
      const what =
        finetuning === 'lora'
          ? 'LoRA (all linears, r 8), reference by the adapter off'
          : 'full, a second copy for reference'
      const title = `DPO step, ${what}, 22M, 2 pairs of 256 tokens, fp32, 2 threads`
      const row = await duel(title, ['step', ...list, '--steps', '5'], 'median_ms', (r) => r <= 0.9, '≤ 0.90')
      return { ...row, parity }
    })
  }
  for (const shape of ['22M', '135M'] as const) {
    await take(`decode-${shape}`, async () => {
      const { model, ids } = modelOf(shape)
      const short = join(scratch, `${shape}-prompt.json`)
      writeFileSync(short, JSON.stringify([Array.from({ length: 16 }, (_, i) => (i * 37) % shapes[shape][0])]))
      void ids
      return duel(
        `decode, ${shape}, fp32, batch 1`,
        ['decode', '--model', model, '--ids', short, '--repeats', '1'],
        'tokens_per_second',
        (r) => r >= 2,
        '≥ 2',
      )
    })
  }
  for (const shape of ['22M', '135M'] as const) {
    await take(`llama.cpp-${shape}`, () => againstLlamaCpp(shape, modelOf(shape).model))
  }
  await take('overhead', () =>
    duel('one small op (add of 4 numbers), µs', ['overhead'], 'add_us', (r) => r <= 0.65, '≤ 0.65'),
  )
  await take('text', async () => {
    const corpus = join(scratch, 'corpus.txt')
    writeFileSync(corpus, markdown(join(here, '../node_modules'), 20e6))
    const mine = run([...tsxArguments('text.ts'), corpus, '8192'])
    const hasTokenizers = spawnSync(python, ['-c', 'import tokenizers'], { stdio: 'ignore' }).status === 0
    const theirs = hasTokenizers ? run([python, join(here, 'peers/tokenizers_peer.py'), corpus, '8192']) : {}
    const rate = (row: Record<string, unknown>, key: string): number => Number(row[key])
    const train = rate(mine, 'train_mb_per_s')
    const peers = hasTokenizers && {
      peer: theirs,
      encode_ratio: rate(mine, 'encode_mb_per_s') / rate(theirs, 'encode_mb_per_s'),
    }
    return { name: 'BPE training and encoding, MB/s', ...mine, ...peers, goal: 'training ≥ 5 MB/s', met: train >= 5 }
  })
  await take('help', async () => {
    const times = Array.from({ length: 11 }, () => {
      const begun = performance.now()
      run([process.execPath, join(here, '../dist/cli/main.js'), '--help'])
      return performance.now() - begun
    })
    return { name: 'anneal --help, ms', ours: median(times), goal: '< 200', met: median(times) < 200 }
  })
  mkdirSync(join(here, 'results'), { recursive: true })
  const machine = {
    cpu: cpus()[0]?.model.trim(),
    cores: cpus().length,
    memory_gib: Math.round(totalmem() / 2 ** 30),
    node: process.versions.node,
  }
  const date = new Date().toISOString().slice(0, 10)
  writeFileSync(
    join(here, 'results', `${date}${wanted.length ? `-${wanted.join('-')}` : ''}.json`),
    `${JSON.stringify({ date, machine, pairs, rows }, null, 2)}\n`,
  )
  rmSync(scratch, { recursive: true, force: true })
}

await main()
