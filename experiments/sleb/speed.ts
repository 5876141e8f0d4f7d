// Tokens per second with fewer blocks: one sequence decoded token by token, and a prompt read at once. Models share their tensors and
// take turns, so that what slows the machine slows all of them.
import { CachedRows } from '../../src/infer/cached-rows.ts'
import { eliminatedConfig } from '../../src/methods/sleb/eliminated-config.ts'
import { unitsOf } from '../../src/methods/sleb/unit.ts'
import { Decoder } from '../../src/model/decoder.ts'
import { noGrad, scope, synchronize, Tensor } from '../../src/torch/index.ts'
import { median } from '../setting/statistics.ts'

export interface Speed {
  count: number
  blocks: number
  parameters: number
  bytes: number
  /** Tokens per second, medians over rounds. */
  decode: number
  prompt: number
}

export interface SpeedOptions {
  counts: readonly number[]
  promptLength: number
  newTokens: number
  rows: number
  rounds: number
}

export function measureSpeeds(model: Decoder, options: SpeedOptions): Speed[] {
  const { promptLength, newTokens, rows, rounds } = options
  const tensors = new Map(model.parameters())
  const blocks = unitsOf(model.config, 'block', { first: 1, last: 1 })
  const models = [0, ...options.counts].map((count) => {
    // Which blocks go does not matter for the time.
    const { config, pathBefore } = eliminatedConfig(model.config, blocks.slice(0, count))
    return { count, model: new Decoder(config, ({ path }) => tensors.get(pathBefore(path))!) }
  })
  const times = models.map(() => ({ decode: [] as number[], prompt: [] as number[] }))
  for (let round = 0; round <= rounds; round++) {
    for (const [i, one] of models.entries()) {
      const prompt = timePrompt(one.model, promptLength)
      const decode = timeDecode(one.model, rows, newTokens)
      if (round === 0) continue // the first is for warming up
      times[i]!.prompt.push(prompt)
      times[i]!.decode.push(decode)
    }
  }
  return models.map(({ count, model: smaller }, i) => ({
    count,
    blocks: smaller.config.layers.length,
    parameters: sum(smaller, (tensor) => tensor.numel),
    bytes: sum(smaller, (tensor) => tensor.nbytes),
    decode: (rows * newTokens) / median(times[i]!.decode),
    prompt: promptLength / median(times[i]!.prompt),
  }))
}

function sum(model: Decoder, of: (tensor: Tensor) => number): number {
  return [...model.parameters()].reduce((total, [, tensor]) => total + of(tensor), 0)
}

/** Seconds to read `length` tokens and give the logits of the last. */
function timePrompt(model: Decoder, length: number): number {
  return noGrad(() =>
    scope(() => {
      const inputIds = ids(model, 1, length)
      synchronize()
      const begun = performance.now()
      const hidden = model.hidden({ inputIds })
      model
        .logits(hidden.narrow(1, length - 1, 1))
        .argmax(-1)
        .toArray()
      return (performance.now() - begun) / 1000
    }),
  )
}

/** Seconds to make `count` tokens for each of `rows` sequences, one after the other, after a first one. */
function timeDecode(model: Decoder, rows: number, count: number): number {
  const texts = new CachedRows(model, rows)
  try {
    return noGrad(() => {
      let next = ids(model, rows, 1).toArray()
      const step = (): void => {
        next = scope(() =>
          texts
            .forward(next.map((id) => [id]))
            .argmax(-1)
            .toArray(),
        )
      }
      step()
      synchronize()
      const begun = performance.now()
      for (let i = 0; i < count; i++) step()
      return (performance.now() - begun) / 1000
    })
  } finally {
    texts.free()
  }
}

function ids(model: Decoder, rows: number, length: number): Tensor {
  const list = Int32Array.from(
    { length: rows * length },
    (_, i) => (Math.imul(i + 1, 2654435761) >>> 8) % model.config.vocabSize,
  )
  return Tensor.from(list, [rows, length]).to('i64').to(model.device)
}
