// What `anneal sleb` does: draw the text, search with a journal, write the smaller model, say so. A search that was stopped goes on by
// itself: the same command finds its journal beside the target.
import { existsSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { hashWeights } from '../../checkpoint/model-directory/hash-weights.ts'
import { loadDecoder } from '../../checkpoint/model-directory/load.ts'
import type { Output } from '../../cli/output.ts'
import type { Batch } from '../../data/batch.ts'
import { calibrationBatches, hashBatches } from '../../data/calibration.ts'
import { InputError } from '../../errors.ts'
import { sweepLeftovers } from '../../files/leftover.ts'
import { makeOutputDirectory } from '../../files/output-directory.ts'
import type { SlebResult } from '../../methods/sleb/result.ts'
import { saveEliminated, weightBytes } from '../../methods/sleb/save-eliminated.ts'
import { sleb } from '../../methods/sleb/sleb.ts'
import { printable } from '../../printable.ts'
import { Journal } from '../../probe/journal.ts'
import { Tokenizer } from '../../text/tokenizer.ts'
import { setThreads } from '../../torch/index.ts'
import { VERSION } from '../../version.ts'
import { showOn } from '../watch-output.ts'
import { planSleb, type SlebPlan, type SlebRun } from './plan-sleb.ts'
import { type SlebSummary, slebReport, summarise, summaryLines } from './sleb-report.ts'

/** Runs it all; errors are thrown before anything is in `--out`. */
export async function runSleb(run: SlebRun, output: Output): Promise<void> {
  if (run.threads !== undefined) setThreads(run.threads)
  const plan = planSleb(run)
  const folder = dirname(resolve(run.out))
  const takeAway = makeOutputDirectory(folder, '--out')
  try {
    if (existsSync(run.out)) makeOutputDirectory(run.out, '--out')
    sweepLeftovers(folder)
    const batches = await windowsOf(run, plan, output)
    const parentSha256 = hashWeights(run.model)
    const { device, dtype } = plan
    const journal = Journal.open(plan.journal, { model: parentSha256, data: hashBatches(batches), device, dtype })
    let summary: SlebSummary
    try {
      if (journal.size > 0) output.note(`going on from ${plan.journal}, which has ${journal.size} measurements`)
      const result = await search(run, plan, batches, journal, output)
      summary = summarise(result, {
        before: weightBytes(run.model, []),
        after: weightBytes(run.model, result.removed),
      })
      await save(run, plan, result, summary, parentSha256)
    } catch (error) {
      journal.close()
      throw error
    }
    journal.remove()
    if (run.granularity === 'sublayer')
      output.note(
        'notice: a block with one branch works in Anneal only; Transformers fills the other with random weights',
      )
    output.emit({ out: run.out, ...summary })
    output.result(`${summaryLines(summary).join('\n')}\n→ ${run.out}, with ${join(run.out, 'sleb.html')}`)
  } finally {
    takeAway()
  }
}

async function windowsOf(run: SlebRun, { config, length }: SlebPlan, output: Output): Promise<Batch[]> {
  const { model, data, samples, batchSize, seed, textColumn } = run
  const tokenizer = await Tokenizer.fromDirectory(model)
  if (tokenizer.vocabSize > config.vocabSize) {
    throw new InputError(
      `tokenizer in ${model}: expected at most the model's ${config.vocabSize} ids (vocab_size), got ${tokenizer.vocabSize}. Use the model's own tokenizer`,
    )
  }
  const batches = await calibrationBatches(data, tokenizer, {
    length,
    samples,
    batchSize,
    seed,
    textKey: textColumn,
    onNotice: (message) => output.note(`notice: ${printable(message)}`),
  })
  const windows = batches.reduce((sum, { rows }) => sum + rows, 0)
  const fewer = windows < samples ? `, all there are (--samples ${samples})` : ''
  output.note(`calibration: ${windows} windows of ${length} tokens${fewer}`)
  return batches
}

async function search(
  run: SlebRun,
  { device, dtype, options }: SlebPlan,
  batches: readonly Batch[],
  journal: Journal,
  output: Output,
): Promise<SlebResult> {
  const model = loadDecoder(run.model, { device, dtype })
  const shown = showOn(output, (row, log) => {
    log(lineOf(row))
    const namesIn = (list: unknown): string[] => (list === '' ? [] : String(list).split(', '))
    output.emit({ ...row, removed: namesIn(row.removed), returned: namesIn(row.returned) })
  })
  try {
    return await sleb(model, batches, options, { cells: journal, tell: shown.tell })
  } finally {
    shown.end()
    model.free()
  }
}

function lineOf({ removed, returned, loss, metric }: Readonly<Record<string, string | number | null>>): string {
  const back = returned === '' ? '' : `, ${returned} is back`
  const cost =
    metric === 'kl' ? `divergence ${Number(loss).toFixed(4)}` : `perplexity ${Math.exp(Number(loss)).toPrecision(5)}`
  return `without ${removed}${back}: ${cost}`
}

async function save(
  run: SlebRun,
  { length }: SlebPlan,
  result: SlebResult,
  summary: SlebSummary,
  parentSha256: string,
): Promise<void> {
  const { data, samples, seed } = run
  await saveEliminated(run.model, result.removed, run.out, {
    step: {
      pass: 'sleb',
      options: { ...result.options, data, samples, length, seed },
      report: { ...summary },
      date: new Date().toISOString(),
      annealVersion: VERSION,
      parentSha256,
    },
    files: { 'sleb.html': slebReport(run.model, result, summary) },
  })
}
