// What tuning in one language did to the others, from a sweep's evaluations, and what goes with it: a table, transfer.json and a page.
import { join } from 'node:path'
import { UsageError } from '../../errors.ts'
import { type KnownLanguage, transfer } from '../../eval/transfer/transfer.ts'
import { writeFileAtomic } from '../../files/atomic-write.ts'
import { counted } from '../../report/amounts.ts'
import { eventsOf, type Tell, type WorkEvent } from '../../work.ts'
import { loadLm } from '../load-lm.ts'
import { resolveModelPath } from '../resolve-model.ts'
import { countedShares, fromParallel, namedTexts, readPredictors } from './known-languages.ts'
import { readTuned } from './read-tuned.ts'
import { transferPage } from './transfer-page.ts'
import type { TransferResult } from './transfer-result.ts'
import { correlationLines, mitigationLines } from './transfer-tables.ts'

/** Which sweep, and what is known of its languages. */
export interface RunTransferOptions {
  /** The folder of a sweep with evaluations by language. */
  sweep: string
  /** The metric that was to be lowered, such as `crows_pairs log_ratio`. */
  metric: string
  /** The language that was tuned in; it is in no correlation. */
  source: string
  /** A table with `language`, columns of numbers (share, distance, …), and a `seed` where they are others for every seed. */
  predictors?: string | undefined
  /** What was pre-trained on, `da=corpus/` for each language: its share is counted in bytes. */
  pretraining?: readonly string[] | undefined
  /** The same sentences in every language, `da=da.txt`: overlap of tokens, and similarity over the layers of the model. */
  parallel?: readonly string[] | undefined
  /** The model that reads them; by default the one that the sweep began with. */
  model?: string | undefined
  /** Predictors, or `before` (the figure before tuning), that correlations are also told without. */
  covariates?: readonly string[] | undefined
  /** Where transfer.json and transfer.html go; by default beside the sweep. */
  outputPath?: string | undefined
}

/**
 * Tells what carried over and what goes with it. InputError for languages that were measured and are not known, for fewer than three beside the
 * source, and for columns that are the same throughout where nothing else is left.
 *
 * @example
 * const { correlations } = await resultOf(runTransfer({ sweep: 'runs/arms', metric: 'log_ratio', source: 'en', predictors: 'shares.csv' }))
 */
export function runTransfer(
  options: RunTransferOptions,
  { signal }: { signal?: AbortSignal | undefined } = {},
): AsyncGenerator<WorkEvent, TransferResult> {
  return eventsOf((watch) => work(options, watch), { signal })
}

async function work(options: RunTransferOptions, watch: { signal: AbortSignal; tell: Tell }): Promise<TransferResult> {
  const { tell } = watch
  const { sweep, source, predictors, pretraining = [], parallel = [], covariates = [] } = options
  if (predictors === undefined && pretraining.length + parallel.length === 0)
    throw new UsageError('predictors: expected a table of languages, or `pretraining` or `parallel` texts, got none')
  const { tuned, metric, models } = readTuned(sweep, options.metric)
  const texts = {
    pretraining: pretraining.map((text) => namedTexts(text, 'pretraining')),
    parallel: parallel.map((text) => namedTexts(text, 'parallel')),
  }
  const languages = new Set(tuned.map(({ language }) => language))
  tell({
    type: 'started',
    work: 'transfer',
    message: `${metric} of ${counted(languages.size, 'language')}, tuned in ${source}`,
  })
  const known: KnownLanguage[] = []
  if (predictors !== undefined) known.push(...(await readPredictors(predictors)))
  if (texts.pretraining.length > 0) known.push(...(await countedShares(texts.pretraining, watch)))
  if (texts.parallel.length > 0) {
    const lm = await loadLm(await resolveModelPath(options.model ?? models[0]!))
    try {
      known.push(...(await fromParallel(lm, texts.parallel, source, watch)))
    } finally {
      lm.free()
    }
  }
  mustBeKnownOnce(known)
  const unused = [...new Set(known.map(({ language }) => language))].filter((language) => !languages.has(language))
  if (unused.length > 0) tell({ type: 'notice', message: `not measured, and in no correlation: ${unused.join(', ')}` })
  const found = transfer(tuned, known, { source, covariates })
  for (const message of found.notices) tell({ type: 'notice', message })
  const result: TransferResult = { metric, ...found, known }
  const folder = options.outputPath ?? sweep
  writeFileAtomic(join(folder, 'transfer.json'), `${JSON.stringify(result, null, 1)}\n`)
  const page = join(folder, 'transfer.html')
  writeFileAtomic(page, transferPage(result))
  tell({ type: 'saved', what: 'report', path: page })
  tell({ type: 'result', result, lines: [...mitigationLines(result), '', ...correlationLines(result)] })
  return result
}

/** A share of the table and a counted one are two figures under one name, of which one would be taken without a word. */
function mustBeKnownOnce(known: readonly KnownLanguage[]): void {
  const seen = new Set<string>()
  for (const { language, seed, values } of known)
    for (const name of Object.keys(values)) {
      const key = JSON.stringify([language, seed, name])
      if (seen.has(key))
        throw new UsageError(
          `predictors: expected one value of ${name} for ${language}, got one in the table and one of texts. Rename the column, or leave one out`,
        )
      seen.add(key)
    }
}
