// The text that an edit looks at: windows to measure on, and others to judge by.
import type { Batch } from '../../data/batch.ts'
import { calibrationBatches, heldOutBatches } from '../../data/calibration.ts'
import { InputError, UsageError } from '../../errors.ts'
import type { DecoderConfig } from '../../model/config.ts'
import type { Tokenizer } from '../../text/tokenizer.ts'
import type { Watch } from '../../work.ts'
import { loadTokenizer } from '../load-model.ts'
import { type ModelSource, placeOf } from '../model-source.ts'
import { WINDOW_DEFAULTS } from './window-defaults.ts'

/** Which windows of text are drawn. */
export interface WindowOptions {
  /** Text to measure on: files or folders. */
  data: readonly string[]
  /** Text for the evaluation; default: other windows of `data`. */
  evalData?: readonly string[] | undefined
  /** Windows to measure on, and as many to evaluate. Default 32. */
  samples?: number | undefined
  /** Tokens in a window. Default 512, or the model's context where that is shorter. */
  maxLength?: number | undefined
  /** Windows at once. Default 1. */
  batchSize?: number | undefined
  /** Field that holds the text of a row. Default `text`. */
  textColumn?: string | undefined
  /** Which windows are drawn. Default 0. */
  seed?: number | undefined
}

/** Windows as batches; both empty where no text was given. */
export interface Windows {
  calibration: readonly Batch[]
  evaluation: readonly Batch[]
}

export type ResolvedWindows = { [Key in keyof WindowOptions]-?: NonNullable<WindowOptions[Key]> }

/** Fills in the defaults; UsageError for windows that the model cannot see. */
export function resolveWindows(options: WindowOptions, config: DecoderConfig): ResolvedWindows {
  const context = config.maxPositionEmbeddings
  const { maxLength } = options
  if (maxLength !== undefined && maxLength > context)
    throw new UsageError(`maxLength: expected at most ${context}, the model's context, got ${maxLength}`)
  if (options.data.length === 0 && (options.evalData ?? []).length > 0)
    throw new UsageError('evalData: expected `data` with it, got it alone')
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
  const defaults = { evalData: [], ...WINDOW_DEFAULTS, maxLength: Math.min(WINDOW_DEFAULTS.maxLength, context) }
  return { ...defaults, ...(given as Partial<ResolvedWindows>), data: options.data }
}

/** The tokenizer of a model whose ids it knows; InputError says which does not fit. */
export async function fittingTokenizer(source: ModelSource, config: DecoderConfig): Promise<Tokenizer> {
  const place = placeOf(source, 'tokenizer.json')
  const tokenizer = await loadTokenizer(source)
  if (tokenizer === undefined)
    throw new InputError(`tokenizer in ${place}: expected a tokenizer.json, got none. Put the model's own there`)
  const fitting = tokenizer.fit(config.vocabSize)
  if (fitting === undefined)
    throw new InputError(
      `tokenizer in ${place}: expected at most the model's ${config.vocabSize} ids (vocab_size), got ${tokenizer.vocabSize}. Use the model's own tokenizer`,
    )
  return fitting
}

/** Draws them and says how many there are. */
export async function drawWindows(tokenizer: Tokenizer, options: ResolvedWindows, watch: Watch): Promise<Windows> {
  const { data, evalData, samples, maxLength: length, batchSize, seed, textColumn: textKey } = options
  if (data.length === 0) return { calibration: [], evaluation: [] }
  const onNotice = (message: string): void => watch.tell?.({ type: 'notice', message })
  const reading = { length, samples, batchSize, seed, textKey, onNotice }
  const windows =
    evalData.length === 0
      ? await heldOutBatches(data, tokenizer, reading)
      : {
          calibration: await calibrationBatches(data, tokenizer, reading),
          evaluation: await calibrationBatches(evalData, tokenizer, reading),
        }
  const count = (batches: readonly Batch[]): number => batches.reduce((sum, { rows }) => sum + rows, 0)
  const found = count(windows.calibration)
  const fewer = found < samples ? `, all that there is text for, of the ${samples} asked for` : ''
  const message = `calibration: ${found} windows of ${length} tokens${fewer}; evaluation: ${count(windows.evaluation)} others`
  watch.tell?.({ type: 'started', work: 'edit', message })
  return windows
}
