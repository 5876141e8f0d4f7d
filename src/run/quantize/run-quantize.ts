// What `anneal quantize` does: draw the text, measure with a journal, choose, write the quantized model, say so. A run that was stopped
// goes on by itself: the same command finds its journal beside the target.
import { existsSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { hashWeights } from '../../checkpoint/model-directory/hash-weights.ts'
import type { LineageStep } from '../../checkpoint/model-directory/lineage.ts'
import { loadDecoder } from '../../checkpoint/model-directory/load.ts'
import { saveEdited } from '../../checkpoint/model-directory/write-model.ts'
import type { Output } from '../../cli/output.ts'
import type { Batch } from '../../data/batch.ts'
import { calibrationBatches, hashBatches } from '../../data/calibration.ts'
import { InputError } from '../../errors.ts'
import { writeFileAtomic } from '../../files/atomic-write.ts'
import { sweepLeftovers } from '../../files/leftover.ts'
import { makeOutputDirectory } from '../../files/output-directory.ts'
import { summariseFormats } from '../../methods/quantize/figures.ts'
import { applyFormats, chooseFormats, type FormatOptions } from '../../methods/quantize/quantize.ts'
import type { Decoder } from '../../model/decoder.ts'
import { printable } from '../../printable.ts'
import { Journal } from '../../probe/journal.ts'
import { Tokenizer } from '../../text/tokenizer.ts'
import { setThreads } from '../../torch/index.ts'
import { showOn } from '../watch-output.ts'
import { lossOf, otherBytes } from './measure-model.ts'
import { planQuantize, type QuantizePlan, type QuantizeRun } from './plan-quantize.ts'
import { type QuantizeSummary, quantizeReport, summaryLines } from './quantize-report.ts'

/** Windows to measure on, and others to evaluate on; empty without text. */
export interface Windows {
  calibration: Batch[]
  evaluation: Batch[]
}

/** Runs it all; errors are thrown before anything is in `--out`. */
export async function runQuantize(run: QuantizeRun, output: Output): Promise<void> {
  if (run.threads !== undefined) setThreads(run.threads)
  const plan = planQuantize(run)
  const folder = dirname(resolve(run.out))
  const takeAway = makeOutputDirectory(folder, '--out')
  try {
    if (existsSync(run.out)) makeOutputDirectory(run.out, '--out')
    sweepLeftovers(folder)
    const windows = await windowsOf(run, output)
    const model = loadDecoder(run.model, plan)
    try {
      if (plan.formats === null) await saveUnchanged(run, model, output)
      else await quantize(run, plan, plan.formats, windows, model, output)
    } finally {
      model.free()
    }
    output.result(`→ ${run.out}${plan.formats === null ? '' : `, with ${join(run.out, 'quantize.html')}`}`)
  } finally {
    takeAway()
  }
}

async function quantize(
  run: QuantizeRun,
  plan: QuantizePlan,
  formats: FormatOptions,
  { calibration, evaluation }: Windows,
  model: Decoder,
  output: Output,
): Promise<void> {
  const parentSha256 = hashWeights(run.model)
  const { device, dtype } = plan
  const { quantizer, granularity } = formats
  // The search's own options are not among these: another budget reads the same measurements.
  const header = {
    model: parentSha256,
    data: hashBatches(calibration),
    device,
    dtype,
    quantizer: quantizer!,
    granularity: granularity!,
    formats: formats.formats!.join(),
  }
  const journal = Journal.open(plan.journal, header)
  try {
    if (journal.size > 0) output.note(`going on from ${plan.journal}, which has ${journal.size} measurements`)
    const before = await lossOf(model, evaluation)
    const shown = showOn(output, (trial) => output.emit({ trial }))
    const chosen = await chooseFormats(model, calibration, formats, { cells: journal, tell: shown.tell }).finally(
      shown.end,
    )
    const found = summariseFormats(chosen.bank, chosen.allocation)
    const { report, options } = applyFormats(model, chosen, formats)
    const after = await lossOf(model, evaluation)
    const summary: QuantizeSummary = {
      ...found,
      other_bytes: otherBytes(model),
      perplexity_before: before && Math.exp(before.loss),
      perplexity_after: after && Math.exp(after.loss),
      evaluated_tokens: after?.tokens ?? 0,
    }
    await save(run, model, { options, report, summary, parentSha256 }, formats.objective!)
    output.emit({ out: run.out, ...summary })
    output.result(summaryLines(summary).join('\n'))
  } catch (error) {
    if (journal.size === 0) journal.remove()
    else journal.close()
    throw error
  }
  journal.remove()
}

async function saveUnchanged(run: QuantizeRun, model: Decoder, output: Output): Promise<void> {
  await saveEdited(model, run.model, run.out, { pass: 'quantize', options: { bits: 16 }, report: {} })
  output.emit({ out: run.out, bits: 16 })
  output.note('16 bits: every matrix stays as it is')
}

/** The model, then what was found beside it. */
async function save(
  run: QuantizeRun,
  model: Decoder,
  found: Pick<LineageStep, 'options' | 'report'> & { summary: QuantizeSummary; parentSha256: string },
  objective: 'kl' | 'ce',
): Promise<void> {
  const { data, samples, length } = run
  const { perplexity_before, perplexity_after } = found.summary
  // One format for all has no budget, and nothing was searched.
  const { budgetBits, allocate, objective: _, evaluations, ...plainOptions } = found.options
  const { budget, ...plainReport } = found.report
  const isPlain = run.budgetBits === undefined
  await saveEdited(model, run.model, run.out, {
    pass: 'quantize',
    options: { ...(isPlain ? plainOptions : found.options), data, samples, length },
    report: { ...(isPlain ? plainReport : found.report), perplexity_before, perplexity_after },
  })
  writeFileAtomic(join(run.out, 'quantize.json'), `${JSON.stringify(found.summary, null, 2)}\n`)
  writeFileAtomic(join(run.out, 'quantize.html'), quantizeReport(run.model, found.summary, objective))
}

async function windowsOf(run: QuantizeRun, output: Output): Promise<Windows> {
  const { data, evalData, model, samples } = run
  if (data.length === 0) return { calibration: [], evaluation: [] }
  const tokenizer = await Tokenizer.fromDirectory(model)
  const drawn = await drawWindows(
    data,
    tokenizer,
    { ...run, samples: evalData.length === 0 ? 2 * samples : samples },
    output,
  )
  if (evalData.length > 0)
    return { calibration: drawn, evaluation: await drawWindows(evalData, tokenizer, run, output) }
  return halves(drawn, data)
}

/** One half of the batches to measure on, the other to evaluate. */
export function halves(drawn: readonly Batch[], paths: readonly string[]): Windows {
  if (drawn.length < 2) {
    throw new InputError(
      `text in ${paths.join(', ')}: expected enough for two batches, one to measure on and one to evaluate, got one. Give more text, or a smaller --length or --batch-size`,
    )
  }
  const middle = Math.ceil(drawn.length / 2)
  return { calibration: drawn.slice(0, middle), evaluation: drawn.slice(middle) }
}

export async function drawWindows(
  paths: readonly string[],
  tokenizer: Tokenizer,
  {
    length,
    samples,
    batchSize,
    seed,
    textColumn,
  }: Pick<QuantizeRun, 'length' | 'samples' | 'batchSize' | 'seed' | 'textColumn'>,
  output: Output,
): Promise<Batch[]> {
  return calibrationBatches(paths, tokenizer, {
    length,
    samples,
    batchSize,
    seed,
    textKey: textColumn,
    onNotice: (message) => output.note(`notice: ${printable(message)}`),
  })
}
