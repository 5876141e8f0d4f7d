// Formats at equal bytes: who allocates, and who quantizes. Choices are made on calibration windows and judged on others.

import type { Batch } from '../../src/data/batch.ts'
import { mutualInformationScore } from '../../src/methods/qpruner/qpruner.ts'
import { allocate, budgetOf, choiceTable, uniformWithin } from '../../src/methods/quantize/allocate.ts'
import { type FormatGranularity, QUANTIZERS, type Quantizer } from '../../src/methods/quantize/choices.ts'
import { fisherErrors } from '../../src/methods/quantize/fisher-error.ts'
import { MeasuredLoss } from '../../src/methods/quantize/measured-loss.ts'
import { quantUnits } from '../../src/methods/quantize/units.ts'
import { buildBank, type WeightBank } from '../../src/methods/quantize/weight-bank.ts'
import type { Decoder } from '../../src/model/decoder.ts'
import { codeBits, type QuantFormat } from '../../src/nn/quant/format.ts'
import { type Assignment, exactAssignment, greedyAssignment, totalOf } from '../../src/probe/budget-assignment.ts'
import { unchanged } from '../../src/probe/intervention.ts'
import { crossEntropyMetric, divergenceMetric, type Metric } from '../../src/probe/metric.ts'
import { type Probe, probeTable } from '../../src/probe/probe.ts'
import { languageModeling } from '../../src/train/objective.ts'
import type { Setting } from './setting.ts'

export const FORMATS: readonly QuantFormat[] = ['nf2', 'nf3', 'nf4', 'int8']
/** Bytes of nf4 everywhere, of nf3 everywhere, and between nf2 and nf3. */
export const BUDGETS = [4.5, 3.5, 3] as const
const RANDOM_DRAWS = 4

export interface ArmResult {
  seed: number
  granularity: FormatGranularity
  quantizer: Quantizer
  budget: number
  arm: string
  bits: number
  /** Rise of the held-out loss over the dense model, and divergence from it, in nats per token. */
  rise: number
  divergence: number
  /** Divergence on the calibration windows. */
  calibration: number
  formats: string
}

interface Judge {
  /** Loss and divergence on the evaluation windows, at once. */
  held: Probe
  calibration: MeasuredLoss
}

/** Every way to allocate, at every budget. */
export async function allocationArms(
  setting: Setting,
  model: Decoder,
  seed: number,
  granularity: FormatGranularity,
  quantizer: Quantizer,
  say: (line: string) => void,
): Promise<ArmResult[]> {
  const calibration = setting.calibration(seed)
  const bank = await bankOf(model, granularity, quantizer, calibration)
  const judge = judgeOf(setting, model, bank, calibration)
  const sensitivities = await judge.calibration.sensitivities()
  const measured = choiceTable(bank, sensitivities)
  const fisher = choiceTable(bank, await fisherErrors(model, bank, calibration))
  const information = choiceTable(
    bank,
    await mutualInformationScore.losses(model, bank.units, bank.formats, calibration),
  )
  const results: ArmResult[] = []
  for (const budget of BUDGETS) {
    const bytes = budgetOf(bank, budget)
    const draws = Array.from({ length: RANDOM_DRAWS }, (_, draw) =>
      greedyAssignment(randomTable(bank, seed * 97 + draw), bytes),
    )
    const bo = await allocate(model, bank, judge.calibration, calibration, {
      method: 'bo',
      budgetBits: budget,
      evaluations: setting.size.evaluations,
      seed,
    })
    const arms: [string, Assignment[]][] = [
      ['uniform', [uniformWithin(bank, bytes)]],
      ['random', draws],
      ['mutual information', [greedyAssignment(information, bytes)]],
      ['Fisher, knapsack', [exactAssignment(fisher, bytes)]],
      ['sensitivity, greedy', [greedyAssignment(measured, bytes)]],
      ['sensitivity, knapsack', [exactAssignment(measured, bytes)]],
      ['sensitivity, then search', [bo.assignment]],
    ]
    for (const [arm, assignments] of arms) {
      const judged = await judgedBy(judge, bank, assignments)
      results.push({ seed, granularity, quantizer, budget, arm, ...judged })
      say(
        `  ${granularity} ${budget} bits, ${arm}: loss +${judged.rise.toFixed(4)}, KL ${judged.divergence.toFixed(4)}`,
      )
    }
  }
  free(judge, bank)
  return results
}

/** Every format alone, by every quantizer. */
export async function quantizerArms(setting: Setting, model: Decoder, seed: number): Promise<ArmResult[]> {
  const calibration = setting.calibration(seed)
  const results: ArmResult[] = []
  for (const quantizer of QUANTIZERS) {
    const bank = await bankOf(model, 'layer', quantizer, calibration)
    const judge = judgeOf(setting, model, bank, calibration)
    for (const [option, format] of FORMATS.entries()) {
      const judged = await judgedBy(judge, bank, [bank.units.map(() => option)])
      results.push({ seed, granularity: 'layer', quantizer, budget: judged.bits, arm: format, ...judged })
    }
    free(judge, bank)
  }
  return results
}

function bankOf(
  model: Decoder,
  granularity: FormatGranularity,
  quantizer: Quantizer,
  calibration: readonly Batch[],
): Promise<WeightBank> {
  return buildBank(model, { units: quantUnits(model, granularity), formats: FORMATS, quantizer, calibration })
}

function judgeOf(setting: Setting, model: Decoder, bank: WeightBank, calibration: readonly Batch[]): Judge {
  const batches = setting.evaluation
  const [loss, divergence] = [crossEntropyMetric(model), divergenceMetric(model, batches)]
  const metric: Metric = {
    name: 'loss and divergence',
    measure: (hidden, batch, index) => {
      const states = hidden()
      return [loss, divergence].flatMap((one) => one.measure(() => states, batch, index))
    },
    free: () => divergence.free?.(),
  }
  return { held: { model, batches, metric }, calibration: new MeasuredLoss(model, bank, calibration, 'kl') }
}

/** Means over the assignments of an arm. */
async function judgedBy(
  judge: Judge,
  bank: WeightBank,
  assignments: readonly Assignment[],
): Promise<Pick<ArmResult, 'bits' | 'rise' | 'divergence' | 'calibration' | 'formats'>> {
  const zero = choiceTable(
    bank,
    bank.units.map(() => bank.formats.map(() => 0)),
  )
  const weights = bank.units.reduce((sum, _, unit) => sum + bank.weights(unit), 0)
  const sums = { bits: 0, rise: 0, divergence: 0, calibration: 0 }
  const tokens = judge.held.batches.reduce((sum, batch) => sum + languageModeling().weight(batch), 0)
  const table = await probeTable(judge.held, [unchanged, ...assignments.map((one) => bank.wholeAs(one))])
  const [dense, ...others] = table.map((batches) =>
    [0, 1].map((number) => batches.reduce((sum, numbers) => sum + numbers[number]!, 0) / tokens),
  )
  for (const [i, assignment] of assignments.entries()) {
    sums.rise += (others[i]![0]! - dense![0]!) / assignments.length
    sums.divergence += others[i]![1]! / assignments.length
    sums.bits += (8 * totalOf(zero, assignment).bytes) / weights / assignments.length
    sums.calibration += (await judge.calibration.of(assignment)) / assignments.length
  }
  return { ...sums, formats: assignments[0]!.map((option) => codeBits(bank.formats[option]!)).join('') }
}

function free(judge: Judge, bank: WeightBank): void {
  judge.held.metric.free?.()
  judge.calibration.free()
  bank.free()
}

/** Losses that fall with bits as they do on average, times a random importance of each unit. */
function randomTable(bank: WeightBank, seed: number): ReturnType<typeof choiceTable> {
  let state = seed + 1
  const random = (): number => {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9
    return ((state ^ (state >>> 13)) >>> 0) / 2 ** 32
  }
  return choiceTable(
    bank,
    bank.units.map((_, unit) => {
      const importance = random() * bank.weights(unit)
      return bank.formats.map((format) => importance * 4 ** -codeBits(format))
    }),
  )
}
