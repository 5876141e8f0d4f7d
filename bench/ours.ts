// Our side of every comparison, one process per engine: the same commands, shapes and rules as bench/peers/transformers_peer.py.
// `tsx bench/ours.ts step --shape 22M --interactive`: one JSON object per measured block, one block per line of standard input.
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { loadDecoder } from '../src/checkpoint/model-directory/load.ts'
import type { PairBatch } from '../src/data/tuning/preferences.ts'
import { evaluate } from '../src/eval/evaluate.ts'
import { findTasks } from '../src/eval/find-tasks.ts'
import { resultsOf } from '../src/eval/results.ts'
import { loadTask } from '../src/eval/task.ts'
import { loadGguf } from '../src/gguf/load-model.ts'
import { Engine } from '../src/infer/engine.ts'
import type { Generation } from '../src/lm/lm.ts'
import { answerLogProbs, dpo, referenceModel } from '../src/methods/dpo/dpo.ts'
import { loadLora } from '../src/methods/lora/adapter-files.ts'
import { addLora, withoutAdapter } from '../src/methods/lora/lora.ts'
import type { Decoder } from '../src/model/decoder.ts'
import type { QuantFormat } from '../src/nn/quant/format.ts'
import { openEvalModel } from '../src/run/eval/open-model.ts'
import { autocast, backward, engineInfo, inference, ops, scope, setThreads, Tensor } from '../src/torch/index.ts'
import { languageModeling, type Objective } from '../src/train/objective.ts'
import { train } from '../src/train/train.ts'
import { quantizeForDecoding, tensorBytes } from './quantize.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    model: { type: 'string' },
    ids: { type: 'string' },
    threads: { type: 'string', default: '2' },
    steps: { type: 'string', default: '10' },
    warmup: { type: 'string', default: '3' },
    lr: { type: 'string', default: '1e-4' },
    finetuning: { type: 'string', default: 'full' },
    adapter: { type: 'string' },
    quantize: { type: 'string' },
    tasks: { type: 'string' },
    objective: { type: 'string', default: 'lm' },
    'new-tokens': { type: 'string', default: '64' },
    repeats: { type: 'string', default: '3' },
    bf16: { type: 'boolean', default: false },
    interactive: { type: 'boolean', default: false },
  },
})
const [command = ''] = positionals
const median = (list: number[]): number => list.toSorted((a, b) => a - b)[list.length >> 1]!
const seconds = (): number => performance.now() / 1000
const readIds = (): number[][][] => {
  const ids = JSON.parse(readFileSync(values.ids!, 'utf8'))
  return Array.isArray(ids[0][0]) ? ids : [ids]
}
const peakMemory = (): number =>
  Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? Number.NaN) / 1024

async function* turns(): AsyncGenerator<number> {
  if (!values.interactive) return yield 0
  console.log(JSON.stringify({ ready: true }))
  let turn = 0
  for await (const _ of createInterface({ input: process.stdin })) yield turn++
}

function trainable(): Decoder {
  const model = loadDecoder(values.model!)
  if (values.adapter !== undefined) loadLora(model, values.adapter, { trainable: true })
  else if (values.finetuning === 'lora') addLora(model, { r: 8, loraAlpha: 16 })
  else model.trainable()
  return model
}

/** Tokens of a pair's prompt; the rest of a row is the answer. */
const PROMPT = 64

/** For DPO the first half of the rows are chosen answers, the second half rejected ones. */
const batchOf = (rows: number[][]): PairBatch => {
  const inputIds = Int32Array.from(rows.flat())
  const length = rows[0]!.length
  const isDpo = values.objective === 'dpo'
  const labels = isDpo ? inputIds.map((id, i) => (i % length < PROMPT ? -100 : id)) : inputIds
  return {
    rows: rows.length,
    length,
    inputIds,
    labels,
    pairs: Int32Array.from({ length: rows.length / 2 }, (_, i) => i),
  }
}

/** Next tokens, or DPO against the base: the adapter off, or with full tuning a second copy. */
function objectiveOf(): Objective<PairBatch> {
  if (values.objective !== 'dpo') return languageModeling()
  const hasAdapter = values.adapter !== undefined || values.finetuning === 'lora'
  return dpo({
    reference: hasAdapter
      ? (asked, batch) => withoutAdapter(asked, () => answerLogProbs(asked, batch))
      : referenceModel(loadDecoder(values.model!)),
  })
}

/** Loss and gradient norms: what must agree before any time is compared. */
async function* parity(): AsyncGenerator<object> {
  const model = trainable()
  const batch = batchOf(readIds()[0]!)
  const objective = objectiveOf()
  const loss = scope(() =>
    autocast(values.bf16 ? 'bf16' : null, () => {
      const mean = objective.forward(model, batch).loss.div(objective.weight(batch))
      backward(mean)
      return mean.item()
    }),
  )
  const trained = [...model.parameters()].filter(([, p]) => p.grad !== null)
  const grad_norms = Object.fromEntries(trained.map(([name, p]) => [name, p.grad!.norm().item()]))
  const grad_norm = Math.sqrt(Object.values(grad_norms).reduce((sum, norm) => sum + norm ** 2, 0))
  yield { loss, grad_norm, grad_norms }
}

/** Forward, backward, clipping and AdamW; times in ms, warm-up left out of the median. */
async function* step(): AsyncGenerator<object> {
  const model = trainable()
  const batches = readIds().map(batchOf)
  const source = { batchesPerEpoch: batches.length, at: (i: number) => batches[i % batches.length]! }
  const events = train(model, source, objectiveOf(), {
    steps: 1_000_000,
    learningRate: Number(values.lr),
    bf16: values.bf16,
  })
  for await (const turn of turns()) {
    const losses: number[] = []
    const times: number[] = []
    const processor: number[] = []
    let used = process.cpuUsage()
    while (times.length < Number(values.steps)) {
      const { value: event } = await events.next()
      if (event?.type !== 'step-done') continue
      losses.push(event.metrics.loss)
      times.push(event.seconds * 1000)
      const { user, system } = process.cpuUsage(used)
      processor.push((user + system) / 1000)
      used = process.cpuUsage()
    }
    const kept = turn === 0 ? times.slice(Number(values.warmup)) : times
    yield {
      losses,
      step_ms: times,
      cpu_ms: processor,
      median_ms: median(kept),
      least_cpu_ms: Math.min(...processor),
      peak_rss_mib: peakMemory(),
    }
  }
}

/** Greedy continuations of a fixed number of tokens, of all the prompts in the file together; the prompts' own pass is included. */
async function* decode(): AsyncGenerator<object> {
  const model = inference(() => {
    const loaded = values.model!.endsWith('.gguf') ? loadGguf(values.model!) : loadDecoder(values.model!)
    if (values.quantize !== undefined) quantizeForDecoding(loaded, values.quantize as QuantFormat)
    return loaded
  })
  const [prompts = []] = readIds()
  const engine = new Engine({ model, batchSize: prompts.length })
  let salt = 0 // what one round has read is not there for the next
  const generate = (count: number): Promise<Generation[]> =>
    engine.generateAll(
      prompts.map((ids) => ({
        ids,
        maxNewTokens: count,
        temperature: 0,
        ignoreEos: true,
        cacheSalt: `${salt}`,
      })),
    )
  await generate(8)
  const count = Number(values['new-tokens'])
  const read = prompts.reduce((sum, { length }) => sum + length, 0)
  for await (const _ of turns()) {
    const times: number[] = []
    let all: Generation[] = []
    for (let i = 0; i < Number(values.repeats); i++) {
      salt++
      const begun = seconds()
      all = await generate(count)
      times.push(seconds() - begun)
    }
    yield {
      token_ids: all[0]!.tokenIds,
      tokens_per_second: (count * prompts.length) / median(times),
      prompt_tokens_per_second: read / median(times),
      resident_bytes: tensorBytes(model),
      peak_rss_mib: peakMemory(),
    }
  }
}

/** Microseconds per call of operations too small to take any time themselves; the least of several rounds. */
async function* overhead(): AsyncGenerator<object> {
  const [x, y, g] = [ops.ones([4], 'f32'), ops.full([4], 2, 'f32'), ops.ones([4], 'f32')]
  const [a, b] = [ops.ones([4, 4], 'f32'), ops.ones([4, 4], 'f32')]
  g.requiresGrad = true
  const least = (call: () => unknown): number => {
    let best = Number.POSITIVE_INFINITY
    for (let round = 0; round < 7; round++) {
      const begun = performance.now()
      // As in real code: results die with the scope around a hundred calls.
      for (let i = 0; i < 200; i++) scope(() => void repeat(call, 100))
      best = Math.min(best, performance.now() - begun)
    }
    return (best / 20_000) * 1000
  }
  for await (const _ of turns()) {
    yield {
      add_us: least(() => ops.add(x, y)),
      mm_us: least(() => ops.mm(a, b)),
      view_us: least(() => ops.view(a, [16])),
      add_with_grad_us: least(() => ops.add(g, y)),
    }
  }
}

/** Documents a second of a whole evaluation, prompts and scores included; the model is opened anew each time, so nothing is known. */
async function* evaluation(): AsyncGenerator<object> {
  const { tasks: configs } = await findTasks([values.tasks!], { notice: () => {} })
  const task = await loadTask(configs[0]!, { notice: () => {} })
  for await (const _ of turns()) {
    const { model, free } = await openEvalModel(values.model!, { dtype: 'f32' })
    const begun = seconds()
    const runs = await evaluate(model, [task])
    const { results } = resultsOf(runs, [], 0)
    const documents_per_second = task.docs.length / (seconds() - begun)
    free()
    yield { documents_per_second, peak_rss_mib: peakMemory(), scores: results[task.name] }
  }
}

function repeat(call: () => unknown, count: number): void {
  for (let i = 0; i < count; i++) call()
}

const COMMANDS: Record<string, () => AsyncGenerator<object>> = { parity, step, decode, overhead, evaluation }

async function main(): Promise<void> {
  setThreads(Number(values.threads))
  Tensor.from([0]).free()
  for await (const result of COMMANDS[command]!())
    console.log(JSON.stringify({ engine: 'anneal', command, torch: engineInfo().version, ...result }))
  process.exit(0)
}

void main()
