// What fine-tuning did, as figures, a table, charts and words. Every statement follows from the numbers of this run.

import type { DropBpRule } from '../methods/dropbp/dropbp.ts'
import { dropBpFigures } from '../methods/dropbp/figures.ts'
import { amount, duration, oneDecimal } from '../report/amounts.ts'
import type { TextSample } from '../report/blocks.ts'
import type { ReportBlock } from '../report/report.ts'
import { formatNumber } from '../report/scale.ts'
import { smoothed } from '../report/series.ts'
import type { StageOutcome } from './stage.ts'
import type { ArmHistory } from './tuning-arms.ts'

/** What the stage has to tell. Losses are in nats per token. */
export interface FinetuneResult {
  steps: number
  batchTokens: number
  epochs: number
  /** Passages of the kind, and what they are. */
  passages: number
  kind: string
  lora: ArmHistory
  dropBp: ArmHistory
  rule: Pick<DropBpRule, 'branches' | 'rates' | 'sensitivities'>
  dropRate: number
  /** Loss on held-out text of the usual kinds, before and after tuning with DropBP. */
  usual: { before: number; after: number }
  adapterBytes: number
  modelBytes: number
  samples: readonly TextSample[]
  seed: number
}

/** Gains below this share of the loss are not called gains. */
const NOTICEABLE = 0.005

/** The stage's part of the table, the numbers and the report. */
export function finetuneOutcome(result: FinetuneResult): StageOutcome {
  const { lora, dropBp, steps, samples } = result
  const [before, after] = [firstLoss(dropBp), lastLoss(dropBp)]
  const perplexities = { before: oneDecimal(Math.exp(before)), after: oneDecimal(Math.exp(after)) }
  return {
    summary:
      `${steps} steps: perplexity on a new kind of text ${perplexities.before} → ${perplexities.after}; ` +
      `a step with DropBP takes ${percent(dropBp.secondsPerStep / lora.secondsPerStep)} of the time`,
    numbers: {
      steps,
      lora: numbersOf(lora),
      lora_dropbp: numbersOf(dropBp),
      usual_text: result.usual,
      adapter_bytes: result.adapterBytes,
      drop_rates: [...result.rule.rates],
      sensitivities: result.rule.sensitivities && [...result.rule.sensitivities],
    },
    figures: [
      {
        label: 'after fine-tuning',
        value: perplexities.after,
        detail: `perplexity on a new kind of text, before ${perplexities.before}`,
      },
    ],
    sections: [
      {
        title: 'Fine-tuning',
        lead: lead(result),
        blocks: [
          curves(lora, dropBp),
          comparison(lora, dropBp),
          { kind: 'prose', text: [gain(result), cost(result), forgetting(result)].join('\n\n') },
          { kind: 'samples', samples },
          ...dropBpFigures(result.rule),
        ],
      },
    ],
  }
}

function lead({ passages, kind, steps, epochs, batchTokens, lora, dropRate }: FinetuneResult): string {
  return (
    `A kind of text that pre-training has not seen: ${kind} (${passages} passages). ` +
    `A LoRA adapter of ${lora.trainableParameters.toLocaleString('en')} parameters learns it in ${steps} steps of ${batchTokens.toLocaleString('en')} tokens (${formatNumber(epochs, epochs / 10)} passes), ` +
    `once as it is, and once with DropBP, which leaves out the backward pass of ${percent(dropRate)} of the work in the blocks, drawn anew for every step. ` +
    'Both begin alike, see the same batches, and take their steps in turn.'
  )
}

function curves(lora: ArmHistory, dropBp: ArmHistory): ReportBlock {
  return {
    kind: 'line-chart',
    title: 'Loss of fine-tuning',
    x: 'step',
    y: 'nats per token',
    series: [
      { name: 'LoRA, training', points: smoothed(lora.loss) },
      { name: 'LoRA, held out', points: lora.heldOutLoss, style: 'marked' },
      { name: 'with DropBP, training', points: smoothed(dropBp.loss) },
      { name: 'with DropBP, held out', points: dropBp.heldOutLoss, style: 'marked' },
    ],
    note: 'Of the kind of text that was kept from pre-training; what is held out of it is in neither training.',
  }
}

function comparison(lora: ArmHistory, dropBp: ArmHistory): ReportBlock {
  const row = ({ name, heldOutLoss, secondsPerStep, seconds, peakBytes }: ArmHistory): (string | number)[] => [
    name,
    heldOutLoss[0]![1],
    heldOutLoss.at(-1)![1],
    1000 * secondsPerStep,
    seconds,
    peakBytes / 1e6,
  ]
  return {
    kind: 'table',
    columns: ['', 'held-out loss before', 'after', 'ms per step', 'seconds in all', 'MB held by a step'],
    rows: [row(lora), row(dropBp)],
  }
}

function gain({ lora, dropBp }: FinetuneResult): string {
  const words = (arm: ArmHistory): string => {
    const change = firstLoss(arm) - lastLoss(arm)
    if (Math.abs(change) < NOTICEABLE * firstLoss(arm))
      return `leaves held-out loss where it was (${lastLoss(arm).toFixed(3)})`
    return `${change > 0 ? 'lowers' : 'raises'} held-out loss by ${Math.abs(change).toFixed(3)} to ${lastLoss(arm).toFixed(3)}`
  }
  const [base, share] = [firstLoss(lora) - lastLoss(lora), firstLoss(dropBp) - lastLoss(dropBp)]
  const kept =
    base > NOTICEABLE * firstLoss(lora) ? ` That is ${percent(share / base)} of what LoRA gains in as many steps.` : ''
  return `LoRA ${words(lora)}; with DropBP, fine-tuning ${words(dropBp)}.${kept}`
}

function cost({ lora, dropBp, adapterBytes, modelBytes }: FinetuneResult): string {
  const time = dropBp.secondsPerStep / lora.secondsPerStep
  const bytes = dropBp.peakBytes / lora.peakBytes
  const than = (ratio: number, more: string, less: string): string =>
    ratio < 1 ? `${percent(1 - ratio)} ${less}` : `${percent(ratio - 1)} ${more}`
  return (
    `With DropBP the middle step takes ${than(time, 'more time', 'less time')} and holds ${than(bytes, 'more memory', 'less memory')}. ` +
    `All steps together take ${duration(dropBp.seconds)} in place of ${duration(lora.seconds)}, the measuring of sensitivities included. ` +
    'The forward pass stays as it is, and so does the output over the whole vocabulary, whose share is smaller in a model with more layers. ' +
    `The adapter that is kept is ${amount(adapterBytes, 'bytes')}, ${percent(adapterBytes / modelBytes)} of the model's ${amount(modelBytes, 'bytes')}.`
  )
}

function forgetting({ usual: { before, after } }: FinetuneResult): string {
  const change = after - before
  if (Math.abs(change) < NOTICEABLE * before)
    return `On held-out text of the other kinds the loss is what it was: ${before.toFixed(3)} before, ${after.toFixed(3)} with the adapter.`
  return (
    `On held-out text of the other kinds the loss ${change > 0 ? 'rises' : 'falls'} from ${before.toFixed(3)} to ${after.toFixed(3)} with the adapter` +
    (change > 0
      ? ': learning one kind makes it forget of the others. Without the adapter the model is as it was.'
      : '.')
  )
}

function numbersOf({ heldOutLoss, secondsPerStep, seconds, peakBytes, trainableParameters }: ArmHistory): object {
  return {
    loss_before: heldOutLoss[0]![1],
    loss_after: heldOutLoss.at(-1)![1],
    seconds_per_step: secondsPerStep,
    seconds,
    peak_bytes: peakBytes,
    trainable_parameters: trainableParameters,
  }
}

const firstLoss = ({ heldOutLoss }: ArmHistory): number => heldOutLoss[0]![1]
const lastLoss = ({ heldOutLoss }: ArmHistory): number => heldOutLoss.at(-1)![1]

function percent(share: number): string {
  return `${Math.round(100 * share)} %`
}
