// `make bench`: ours against PyTorch + Transformers on the same LibTorch release, threads, dtype, batch and weights, and against llama.cpp
// on our GGUF of the same weights. Parity is shown first, then contest.ts compares. Without a Python that has torch and transformers
// (BENCH_PYTHON, or python3) or a folder with node-llama-cpp (BENCH_LLAMA_CPP), ours alone is printed. Results go to bench/results/.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { type Command, duel, here, median, pairCount, type Row, run, tsx, works } from './contest.ts'

const python = process.env.BENCH_PYTHON ?? 'python3'
const wanted = process.argv.slice(2)
const scratch = mkdtempSync(join(tmpdir(), 'anneal-bench-'))
const shapes = { '1M': [512, 8, 128], '22M': [8192, 4, 256], '135M': [49152, 2, 256] } as const
type Shape = keyof typeof shapes

const hasPeer = works([python, '-c', 'import torch, transformers'])
const hasLmEval = works([python, '-c', 'import lm_eval'])
const hasLlamaCpp = process.env.BENCH_LLAMA_CPP !== undefined
const ours = (...list: string[]): Command => tsx('ours.ts', ...list)
const peer = (...list: string[]): Command => [python, join(here, 'peers/transformers_peer.py'), ...list]

/** What the tensors take. */
interface Bytes {
  blocks: number
  model: number
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
  run(tsx('make-model.ts', shape, model, adapter))
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

/** Up to `limit` characters of the Markdown that packages ship, again and again if there is less: real prose that every checkout has. */
function markdown(root: string, limit: number): string {
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.md'))
  let text = ''
  for (const name of files.toSorted()) text += `${readFileSync(join(root, name), 'utf8')}\n`
  while (text.length < limit) text += text
  return text.slice(0, limit)
}

function checkParity(options: string[], bound = 1e-4): number {
  const mine = run(ours('parity', ...options)) as { loss: number; grad_norm: number }
  const theirs = run(peer('parity', ...options)) as { loss: number; grad_norm: number }
  const difference = Math.max(Math.abs(mine.loss / theirs.loss - 1), Math.abs(mine.grad_norm / theirs.grad_norm - 1))
  if (!(difference < bound))
    throw new Error(`not parity, so no speed is printed: loss ${mine.loss} against ${theirs.loss}`)
  return difference
}

/** The same command of both engines, in turn. */
function againstTransformers(
  name: string,
  list: string[],
  figure: string,
  isMet: (ratio: number) => boolean,
  goal: string,
): Promise<Row> {
  return duel({ name, ours: ours(...list), peer: hasPeer ? peer(...list) : undefined, figure, goal, isMet })
}

/** `count` prompts of `length` ids to go on from, as a file. */
function promptOf(shape: Shape, count = 1, length = 16): string {
  const file = join(scratch, `${shape}-${count}-${length}.json`)
  const ids = (row: number): number[] =>
    Array.from({ length }, (_, i) => (i * 37 + row * 101 + (i >> 4) * row) % shapes[shape][0])
  writeFileSync(file, JSON.stringify(Array.from({ length: count }, (_, row) => ids(row))))
  return file
}

/** Types of a GGUF file, and the format of ours beside it where it is not read as it is. */
const FORMATS = { f32: 'f32', q8: 'q8_0', q4: 'q4_0', q4k: 'q4_k' } as const
const OURS = { f32: undefined, q8: 'int8', q4: 'int4', q4k: undefined } as const
type Format = keyof typeof FORMATS

interface Race {
  format: Format
  /** Ours reads the peer's file instead of weights of its own format. */
  asIs?: boolean
  sequences?: number
  prompt?: number
  tokens?: number
}

/** Against llama.cpp on our GGUF of the same weights, in turn: one text or many, writing or (with one new token) reading. */
async function againstLlamaCpp(shape: Shape, model: string, race: Race): Promise<Row> {
  const { format, asIs = false, sequences = 1, prompt = 16, tokens = 64 } = race
  const file = `${model}-${FORMATS[format]}.gguf`
  const own = asIs ? undefined : OURS[format]
  const made = run(tsx('make-gguf.ts', model, file, FORMATS[format], own ?? (format === 'f32' ? '' : 'as-is')))
  const errors = [made.logit_error, made.peer_logit_error].map(Number) as [number, number]
  if (format !== 'f32' && !(errors[0] <= 1.25 * errors[1]))
    throw new Error(`rounded more coarsely than the peer, so no speed is printed: logits are off by ${errors}`)
  const ids = promptOf(shape, sequences, prompt)
  const list = ['decode', '--model', asIs ? file : model, '--ids', ids, '--new-tokens', `${tokens}`, '--repeats', '1']
  if (own !== undefined) list.push('--quantize', own)
  const what = asIs
    ? `the same ${FORMATS[format]} file`
    : format === 'f32'
      ? 'fp32'
      : `${own} against ${FORMATS[format]}`
  const doing = tokens === 1 ? `reading ${prompt} tokens` : `decode, ${sequences} at once`
  const row = await duel({
    name: `${doing}, against llama.cpp, ${shape}, ${what}`,
    ours: ours(...list),
    peer: hasLlamaCpp
      ? [process.execPath, join(here, 'peers/llama_cpp_peer.mjs'), file, ids, `${tokens}`, '2']
      : undefined,
    figure: tokens === 1 ? 'prompt_tokens_per_second' : 'tokens_per_second',
    goal: '≥ 1',
    isMet: (ratio) => ratio >= 1,
  })
  rmSync(file)
  return { ...row, ...made }
}

/** Tokens a second of many texts together, against one alone. */
async function together(model: string, sequences: number, quantize: string | undefined, least: number): Promise<Row> {
  const list = (count: number): string[] => [
    'decode',
    ...['--model', model, '--ids', promptOf('135M', count), '--repeats', '1'],
    ...(quantize === undefined ? [] : ['--quantize', quantize]),
  ]
  return duel({
    name: `decode, 135M, ${quantize ?? 'fp32'}: ${sequences} texts at once against one alone`,
    ours: ours(...list(sequences)),
    peer: ours(...list(1)),
    figure: 'tokens_per_second',
    goal: `≥ ${least}`,
    isMet: (ratio) => ratio >= least,
  })
}

/** One task of 135M against lm-evaluation-harness's `hf` backend, which reads eight requests at a time (one at a time is slower). */
function againstLmEval(model: string, kind: string): Promise<Row> {
  const corpus = join(scratch, 'task-corpus.txt')
  writeFileSync(corpus, markdown(join(here, '../node_modules'), 5e6))
  run(tsx('make-tasks.ts', model, corpus, scratch))
  const task = join(scratch, `${kind}.yaml`)
  return duel({
    name: `evaluation, 135M, fp32, ${kind}`,
    ours: ours('evaluation', '--model', model, '--tasks', task),
    peer: hasLmEval ? [python, join(here, 'peers/lm_eval_peer.py'), model, task, '8', '2'] : undefined,
    figure: 'documents_per_second',
    goal: '≥ 2',
    isMet: (ratio) => ratio >= 2,
  })
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
      const row = await againstTransformers(
        `training step, ${shape}, fp32, 2 threads`,
        ['step', '--model', model, '--ids', ids, '--steps', steps],
        'median_ms',
        (r) => r <= 0.9,
        '≤ 0.90',
      )
      return { ...row, parity }
    })
  }
  await take('bf16-22M', async () => {
    const { model, ids } = modelOf('22M')
    const list = ['--model', model, '--ids', ids, '--bf16']
    const parity = hasPeer ? checkParity(list, 1e-2) : undefined // both round to bf16, not at the same places
    const title = 'training step, 22M, bf16 by autocast, 2 threads'
    const row = await againstTransformers(
      title,
      ['step', ...list, '--steps', '5'],
      'median_ms',
      (r) => r <= 0.8,
      '≤ 0.80',
    )
    return { ...row, parity }
  })
  await take('lora-22M', async () => {
    const { model, ids } = modelOf('22M')
    const list = ['step', '--finetuning', 'lora', '--model', model, '--ids', ids, '--steps', '5']
    const title = 'LoRA step (all linears, r 8), 22M, fp32, 2 threads'
    return againstTransformers(title, list, 'median_ms', (r) => r <= 0.9, '≤ 0.90')
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
      const steps = ['step', ...list, '--steps', '5']
      const row = await againstTransformers(title, steps, 'median_ms', (r) => r <= 0.9, '≤ 0.90')
      return { ...row, parity }
    })
  }
  for (const shape of ['22M', '135M'] as const) {
    await take(`decode-${shape}`, () =>
      againstTransformers(
        `decode, ${shape}, fp32, batch 1`,
        ['decode', '--model', modelOf(shape).model, '--ids', promptOf(shape), '--repeats', '1'],
        'tokens_per_second',
        (r) => r >= 2,
        '≥ 2',
      ),
    )
  }
  const races: Record<string, [Shape, Race]> = {
    'llama.cpp-22M': ['22M', { format: 'f32' }],
    'llama.cpp-135M': ['135M', { format: 'f32' }],
    'q8-135M': ['135M', { format: 'q8' }],
    'q4-135M': ['135M', { format: 'q4' }],
    'q8-file-135M': ['135M', { format: 'q8', asIs: true }],
    'q4-file-135M': ['135M', { format: 'q4', asIs: true }],
    'q4k-file-135M': ['135M', { format: 'q4k', asIs: true }],
    'read-f32-135M': ['135M', { format: 'f32', prompt: 512, tokens: 1 }],
    'read-q8-135M': ['135M', { format: 'q8', prompt: 512, tokens: 1 }],
    'slots-4-135M': ['135M', { format: 'f32', sequences: 4 }],
    'slots-8-135M': ['135M', { format: 'f32', sequences: 8 }],
    'slots-16-135M': ['135M', { format: 'f32', sequences: 16 }],
    'slots-q8-8-135M': ['135M', { format: 'q8', sequences: 8 }],
  }
  for (const [name, [shape, race]] of Object.entries(races))
    await take(name, () => againstLlamaCpp(shape, modelOf(shape).model, race))
  for (const [count, f32, int8] of [
    [4, 3, 2.5],
    [8, 4.5, 3],
    [16, 7, 4],
  ] as const) {
    await take(`together-${count}-f32`, () => together(modelOf('135M').model, count, undefined, f32))
    await take(`together-${count}-int8`, () => together(modelOf('135M').model, count, 'int8', int8))
  }
  for (const kind of ['endings', 'letters', 'pages', 'writing'] as const)
    await take(`evaluate-${kind}`, () => againstLmEval(modelOf('135M').model, kind))
  await take('qlora-bytes', async () => {
    const { before, after } = run(tsx('qlora-bytes.ts', modelOf('135M').model)) as Record<'before' | 'after', Bytes>
    const ratio = after.blocks / before.blocks
    return {
      name: 'blocks of a QLoRA base, NF4 double-quantized against bf16, 135M, no peer',
      figure: 'bytes',
      ours: after.blocks,
      bf16: before.blocks,
      ratio,
      with_embeddings: { ours: after.model, bf16: before.model },
      goal: '≤ 0.30',
      met: ratio <= 0.3,
    }
  })
  await take('overhead', () =>
    againstTransformers('one small op (add of 4 numbers), µs', ['overhead'], 'add_us', (r) => r <= 0.65, '≤ 0.65'),
  )
  await take('text', async () => {
    const corpus = join(scratch, 'corpus.txt')
    writeFileSync(corpus, markdown(join(here, '../node_modules'), 20e6))
    const mine = run(tsx('text.ts', corpus, '8192'))
    const hasTokenizers = works([python, '-c', 'import tokenizers'])
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
    `${JSON.stringify({ date, machine, pairs: pairCount, rows }, null, 2)}\n`,
  )
  rmSync(scratch, { recursive: true, force: true })
}

await main()
