// The ways to choose what goes, and what each costs on held-out text.
import type { Batch } from '../../src/data/batch.ts'
import { order } from '../../src/data/order.ts'
import { eliminatedConfig } from '../../src/methods/sleb/eliminated-config.ts'
import type { SlebOptions } from '../../src/methods/sleb/options.ts'
import { sleb } from '../../src/methods/sleb/sleb.ts'
import { leavingOut, type Unit, unitsOf } from '../../src/methods/sleb/unit.ts'
import type { DecoderConfig } from '../../src/model/config.ts'
import type { Decoder } from '../../src/model/decoder.ts'
import { modelParameters } from '../../src/model/hf-names.ts'
import { evaluate } from '../../src/train/evaluate.ts'
import { languageModeling } from '../../src/train/objective.ts'
import type { Setting } from './setting.ts'

export interface Row {
  arm: string
  seed: number
  /** Blocks removed; for sub-layers, blocks of which the parameters are meant. */
  count: number
  removed: string[]
  /** Share of the model's parameters that went. */
  parameters: number
  /** Nats per token on held-out text. */
  loss: number
}

export interface SearchCost {
  arm: string
  seed: number
  seconds: number
  /** Batches of calibration text run for candidates, and how many a search that gives none up runs. */
  measured: number
  full: number
}

export interface Arms {
  dense: { seed: number; loss: number }[]
  rows: Row[]
  costs: SearchCost[]
}

const SEARCHES: readonly (readonly [string, Omit<SlebOptions, 'remove'>])[] = [
  ['SLEB: greedy (M³)', {}],
  ['greedy by KL', { metric: 'kl' }],
  ['one-shot (M²)', { search: 'one-shot' }],
  ['one-shot 1 − cos (M¹, ShortGPT)', { search: 'cosine' }],
]

export const SUBLAYERS = 'greedy sub-layers'

/** All arms for one seed. */
export async function measureArms(
  model: Decoder,
  setting: Setting,
  seed: number,
  counts: readonly number[],
  randomDraws: number,
  into: Arms,
  say: (line: string) => void,
): Promise<void> {
  const { config } = model
  const calibration = setting.calibration(seed)
  const total = parametersOf(config)
  const most = Math.max(...counts)
  const lossWithout = async (units: readonly Unit[]): Promise<number> => {
    const undo = units.map((unit) => leavingOut(unit, []).apply(model))
    const { eval_loss: loss } = await evaluate(model, setting.held, languageModeling())
    for (const one of undo) one()
    return loss!
  }
  const add = async (arm: string, count: number, units: readonly Unit[]): Promise<void> => {
    const parameters = 1 - parametersOf(eliminatedConfig(config, units).config) / total
    const loss = await lossWithout(units)
    into.rows.push({ arm, seed, count, removed: units.map(({ name }) => name), parameters, loss })
  }
  const search = async (arm: string, options: SlebOptions): Promise<Unit[]> => {
    const begun = performance.now()
    const { removed, measured, full } = await sleb(model, calibration as Batch[], options)
    const seconds = (performance.now() - begun) / 1000
    into.costs.push({ arm, seed, seconds, measured, full })
    say(`  seed ${seed}, ${arm}: ${removed.map(({ name }) => name).join(', ')} in ${seconds.toFixed(1)} s`)
    return removed
  }

  into.dense.push({ seed, loss: await lossWithout([]) })
  // One search for the largest count holds the others: each removes one more.
  for (const [arm, options] of SEARCHES) {
    const removed = await search(arm, { remove: most, ...options })
    for (const count of counts) await add(arm, count, removed.slice(0, count))
  }
  for (const count of counts) {
    const arm = 'greedy, then swaps'
    await add(arm, count, await search(arm, { remove: count, refine: 'swap' }))
  }
  const blocks = unitsOf(config, 'block', { first: 1, last: 1 })
  for (const count of counts) {
    await add('the last before the last one', count, blocks.slice(-count))
    for (let draw = 0; draw < randomDraws; draw++) {
      const shuffled = order(blocks.length, 1000 * seed + draw)
      const drawn = Array.from({ length: count }, (_, i) => blocks[shuffled(0, i)]!)
      await add('random', count, drawn)
    }
  }
  const branches = unitsOf(config, 'sublayer', { first: 1, last: 1 })
  const size = (units: readonly Unit[]): number => total - parametersOf(eliminatedConfig(config, units).config)
  const block = size(blocks.slice(0, 1))
  const enough = branches
    .toSorted((a, b) => size([a]) - size([b]))
    .findIndex((_, i, all) => size(all.slice(0, i + 1)) >= most * block)
  const removed = await search(SUBLAYERS, {
    remove: enough < 0 ? branches.length : enough + 1,
    granularity: 'sublayer',
  })
  for (const count of counts) {
    // The prefix whose parameters are nearest to those of `count` blocks.
    const lengths = [...removed.keys()].map((i) => i + 1)
    const off = (length: number): number => Math.abs(size(removed.slice(0, length)) - count * block)
    await add(
      SUBLAYERS,
      count,
      removed.slice(
        0,
        lengths.reduce((a, b) => (off(b) < off(a) ? b : a)),
      ),
    )
  }
}

/** 1 to 40 % of the blocks: each count for few blocks, tenths for many. */
export function countsFor({ layers }: DecoderConfig): number[] {
  const most = Math.max(1, Math.min(layers.length - 2, Math.ceil(0.4 * layers.length)))
  if (layers.length <= 16) return Array.from({ length: most }, (_, i) => i + 1)
  return [0.1, 0.2, 0.3, 0.4].map((share) => Math.ceil(share * layers.length - 1e-9))
}

function parametersOf(config: DecoderConfig): number {
  return modelParameters(config).reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0)
}
