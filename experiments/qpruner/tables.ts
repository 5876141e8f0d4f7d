// The results as Markdown: what goes into the card.
import { markdownTable, statistics } from '../setting/statistics.ts'
import type { ArmResult } from './allocation-arms.ts'
import type { LoftqResult } from './loftq-arms.ts'

export interface Results {
  machine: string
  settings: Record<string, unknown>
  /** Held-out loss of the dense models, by seed. */
  dense: number[]
  quantizers: ArmResult[]
  allocations: ArmResult[]
  loftq: LoftqResult[]
}

const BASELINE = 'sensitivity, greedy'

export function writeTables({ machine, settings, dense, quantizers, allocations, loftq }: Results): string {
  const loss = statistics(dense)
  const parts = [
    `Machine: ${machine}. Settings: ${JSON.stringify(settings)}.`,
    `Held-out loss of the dense models: ${loss.mean.toFixed(4)}${spread(loss.deviation)}. ± is half a 95 % interval over ${dense.length} seeds unless said otherwise.`,
  ]
  if (quantizers.length > 0) parts.push(quantizerTable(quantizers))
  for (const kind of namesOf(allocations, ({ granularity, quantizer }) => `${granularity}, ${quantizer}`))
    for (const budget of new Set(allocations.map((one) => one.budget))) {
      const group = allocations.filter(
        (one) => `${one.granularity}, ${one.quantizer}` === kind && one.budget === budget,
      )
      if (group.length > 0) parts.push(allocationTable(`A format for each ${kind}, ${budget} bits per weight`, group))
    }
  if (loftq.length > 0) parts.push(loftqTable(loftq))
  return `${parts.join('\n\n')}\n`
}

/** Nothing for one seed. */
const spread = (value: number): string => (Number.isNaN(value) ? '' : ` ± ${value.toFixed(4)}`)

const summary = (values: number[]): string => {
  const { mean, halfWidth } = statistics(values)
  return `${mean.toFixed(4)}${spread(halfWidth)}`
}

const namesOf = <T>(list: readonly T[], name: (one: T) => string): string[] => [...new Set(list.map(name))]

function quantizerTable(results: readonly ArmResult[]): string {
  const rows = namesOf(results, ({ arm }) => arm).map((arm) => {
    const own = (quantizer: string): ArmResult[] =>
      results.filter((one) => one.arm === arm && one.quantizer === quantizer)
    return [
      arm,
      own('rtn')[0]!.bits.toFixed(2),
      ...['rtn', 'gptq'].flatMap((quantizer) => [
        summary(own(quantizer).map(({ rise }) => rise)),
        summary(own(quantizer).map(({ divergence }) => divergence)),
      ]),
    ]
  })
  return markdownTable(
    'One format for all matrices, equal bytes: rise of the held-out loss and KL, nats per token',
    ['format', 'bits', 'rtn loss', 'rtn KL', 'gptq loss', 'gptq KL'],
    rows,
  )
}

/** Differences are to sensitivity-greedy, paired by seed. */
function allocationTable(title: string, results: readonly ArmResult[]): string {
  const baseline = new Map(results.filter(({ arm }) => arm === BASELINE).map((one) => [one.seed, one]))
  const rows = namesOf(results, ({ arm }) => arm).map((arm) => {
    const own = results.filter((one) => one.arm === arm)
    return [
      arm,
      statistics(own.map(({ bits }) => bits)).mean.toFixed(3),
      summary(own.map(({ rise }) => rise)),
      summary(own.map(({ divergence }) => divergence)),
      summary(own.map((one) => one.divergence - baseline.get(one.seed)!.divergence)),
      summary(own.map(({ calibration }) => calibration)),
    ]
  })
  return markdownTable(
    title,
    ['allocation', 'bits', 'rise of loss', 'KL', `KL − ${BASELINE}`, 'KL on calibration'],
    rows,
  )
}

function loftqTable(results: readonly LoftqResult[]): string {
  const rows = namesOf(results, ({ quantizer, format }) => `${format} ${quantizer}`).map((name) => {
    const own = (start: string): LoftqResult[] =>
      results.filter((one) => `${one.format} ${one.quantizer}` === name && one.start === start)
    const zero = new Map(own('zero').map((one) => [one.seed, one]))
    return [
      name,
      ...['zero', 'LoftQ'].flatMap((start) => [
        summary(own(start).map(({ before }) => before)),
        summary(own(start).map(({ after }) => after)),
      ]),
      summary(own('LoftQ').map((one) => one.after - zero.get(one.seed)!.after)),
    ]
  })
  return markdownTable(
    'LoRA r 8 on a quantized base, loss above the dense model before and after equal steps',
    ['base', 'zero, before', 'zero, after', 'LoftQ, before', 'LoftQ, after', 'LoftQ − zero'],
    rows,
  )
}
