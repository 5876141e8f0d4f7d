// The one way in which a model is edited: refuse what cannot be done, take the target, draw windows, load, measure, edit, measure, save with
// all that belongs to a model, and report. What methods differ in is an `EditMethod`.
import { basename, dirname, join, resolve } from 'node:path'
import type { PassRecord } from '../../checkpoint/model-directory/lineage.ts'
import { datedSteps, writeModel } from '../../checkpoint/model-directory/write-model.ts'
import type { Batch } from '../../data/batch.ts'
import { hashBatches } from '../../data/calibration.ts'
import { InputError, UsageError } from '../../errors.ts'
import type { WrittenFile } from '../../files/atomic-write.ts'
import type { MergeBase } from '../../methods/lora/quantized-base.ts'
import type { DecoderConfig } from '../../model/config.ts'
import type { Decoder } from '../../model/decoder.ts'
import { loadDtype } from '../../model/dtype.ts'
import { Journal, type JournalHeader } from '../../probe/journal.ts'
import type { MeasureWatch } from '../../probe/probe.ts'
import { type DType, resolveDevice } from '../../torch/index.ts'
import { eventsOf, type Watch, type WorkEvent } from '../../work.ts'
import { type LoadedModel, loadModel } from '../load-model.ts'
import { modelNotices } from '../model-notices.ts'
import { type ModelSource, modelSource, sourceConfig } from '../model-source.ts'
import { resolveData } from '../resolve-data.ts'
import { resolveModels } from '../resolve-model.ts'
import { bringCompanions, hashAll, hashSource } from '../source-files.ts'
import { checkTarget, takeTarget } from './edit-target.ts'
import { drawWindows, fittingTokenizer, resolveWindows, type WindowOptions, type Windows } from './edit-windows.ts'
import { lossOf } from './measure-model.ts'
import { type Summary, summaryLines } from './summary.ts'

/** What every edit is given. */
export interface EditOptions extends Partial<WindowOptions> {
  /** A model directory, a GGUF file, an adapter's directory, or a name on the hub. */
  model: string
  /** LoRAs that are merged into it first. */
  adapter?: string | readonly string[]
  /** See `LoadModelOptions`. */
  onto?: MergeBase
  /** A new or empty folder. */
  out: string
  /** Lets a model in `out` be replaced; other files there stay. */
  overwrite?: boolean
  device?: 'auto' | 'cpu' | 'cuda'
  dtype?: 'auto' | DType
  /** Where measurements are kept until all is done, so that an edit that was stopped goes on. Default: beside `out`. */
  journal?: string | undefined
}

/** What an edit is about before it begins. */
export interface EditSubject {
  source: ModelSource
  config: DecoderConfig
  hasText: boolean
}

/** What a method did to the model in memory. */
export interface Edited<Figures extends object> {
  record: PassRecord
  /** What programs read; the same for people. */
  figures: Figures
  lines: readonly string[]
  /** The page beside the weights, under the method's name. */
  page: string
  /** Further files, by name. */
  files?: Readonly<Record<string, string>>
  notices?: readonly string[]
  /** Where `model` itself is not edited yet: makes it compute as if it were, until the function returned is called. */
  pretend?: () => () => void
  /** Writes weights and configuration in place of saving `model`. */
  write?: (directory: string) => readonly WrittenFile[]
}

/** How a method edits a model. */
export interface EditMethod<Figures extends object> {
  /** Its slug: in lineage, file names and errors. */
  name: string
  /** Refuses what cannot be done, before anything but configurations is read. */
  check(subject: EditSubject): void
  /** What ties measurements to an edit besides model, text, device and dtype; null where a method has none to keep. */
  journal: JournalHeader | null
  apply(loaded: LoadedModel, windows: Windows, watch: MeasureWatch): Promise<Edited<Figures>>
}

/** Of the windows that nothing was chosen by; null without text. */
export interface HeldOut {
  eval_perplexity_before: number | null
  eval_perplexity_after: number | null
  eval_tokens: number
}

/** What an edit wrote, and what was measured before and after. */
export type EditResult<Figures extends object> = { out: string } & HeldOut & Figures

/** Edits as `method` does and writes the model to `options.out`. Refusals throw before anything is there; an abort keeps the journal. */
export function editModel<Figures extends object>(
  method: EditMethod<Figures>,
  options: EditOptions,
  { signal }: { signal?: AbortSignal | undefined } = {},
): AsyncGenerator<WorkEvent, EditResult<Figures>> {
  return eventsOf((watch) => run(method, options, watch), { signal })
}

async function run<Figures extends object>(
  method: EditMethod<Figures>,
  given: EditOptions,
  watch: Watch,
): Promise<EditResult<Figures>> {
  const options = await resolveModels(given, watch)
  const { out } = options
  const data = await resolveData(options.data ?? [], watch)
  const evalData = options.evalData && (await resolveData(options.evalData, watch, { usual: null }))
  const source = modelSource(options.model, options.adapter)
  const config = sourceConfig(source)
  method.check({ source, config, hasText: data.length > 0 })
  const wanted = resolveWindows({ ...options, data, evalData }, config)
  checkTarget(source, out, options.overwrite ?? false)
  const device = resolveDevice(options.device ?? 'auto')
  const takeAway = takeTarget(out)
  try {
    const tokenizer = data.length > 0 ? await fittingTokenizer(source, config) : undefined
    for (const message of modelNotices(config, tokenizer)) tellNotice(watch, message)
    const windows =
      tokenizer !== undefined ? await drawWindows(tokenizer, wanted, watch) : { calibration: [], evaluation: [] }
    const parentSha256 = hashSource(source)
    const dtype = loadDtype(options.dtype ?? 'auto', config.dtype, device)
    const journal =
      method.journal &&
      Journal.open(options.journal ?? journalBeside(out, method.name), {
        model: hashAll(source),
        data: hashBatches(windows.calibration),
        device,
        dtype,
        ...method.journal,
      })
    try {
      if (journal && journal.size > 0)
        tellNotice(watch, `going on from ${journal.path}, which has ${journal.size} measurements`)
      const loaded = await loadModel(source, { onto: options.onto ?? 'dequantized', device, dtype })
      const result = await editLoaded(method, loaded, windows, { out, wanted, parentSha256 }, watch, journal)
      journal?.remove()
      return result
    } catch (error) {
      if (journal && journal.size === 0) journal.remove()
      else journal?.close()
      throw error
    }
  } finally {
    takeAway()
  }
}

async function editLoaded<Figures extends object>(
  method: EditMethod<Figures>,
  loaded: LoadedModel,
  windows: Windows,
  { out, wanted, parentSha256 }: { out: string; wanted: ReturnType<typeof resolveWindows>; parentSha256: string },
  watch: Watch,
  journal: Journal | null,
): Promise<EditResult<Figures>> {
  const { model, source, lineage, steps } = loaded
  try {
    const before = await lossOf(model, windows.evaluation, watch)
    const edited = await method.apply(loaded, windows, { ...watch, cells: journal ?? undefined })
    const after = await measured(model, windows.evaluation, edited, watch)
    const heldOut: HeldOut = {
      eval_perplexity_before: before && Math.exp(before.loss),
      eval_perplexity_after: after && Math.exp(after.loss),
      eval_tokens: after?.tokens ?? 0,
    }
    const { record, figures, page, files = {}, notices = [] } = edited
    const { data, evalData, samples, maxLength, batchSize, seed } = wanted
    const text =
      data.length === 0 ? {} : { data, ...(evalData.length > 0 && { evalData }), samples, maxLength, batchSize, seed }
    const step = { ...record, options: { ...text, ...record.options }, report: { ...record.report, ...heldOut } }
    await writeModel(out, {
      model: edited.write ?? model,
      companions: (directory) => bringCompanions(source, directory),
      lineage: [...lineage, ...datedSteps([...steps, step], parentSha256, source.base)],
      files: { ...files, [`${method.name}.html`]: page },
    })
    for (const notice of notices) tellNotice(watch, notice)
    const result = { out, ...figures, ...heldOut }
    watch.tell?.({ type: 'saved', what: 'model', path: out })
    const lines = [
      ...edited.lines,
      ...summaryLines(heldOutSummary(heldOut)),
      `→ ${out}, with ${join(out, `${method.name}.html`)}`,
    ]
    watch.tell?.({ type: 'result', result, lines })
    return result
  } finally {
    model.free()
  }
}

async function measured<Figures extends object>(
  model: Decoder,
  evaluation: readonly Batch[],
  { pretend }: Edited<Figures>,
  watch: Watch,
): ReturnType<typeof lossOf> {
  const undo = pretend?.()
  try {
    return await lossOf(model, evaluation, watch)
  } finally {
    undo?.()
  }
}

function heldOutSummary({
  eval_perplexity_before: before,
  eval_perplexity_after: after,
  eval_tokens,
}: HeldOut): Summary {
  if (before === null || after === null) return []
  return [['held out', `perplexity ${before.toPrecision(5)} → ${after.toPrecision(5)} on ${eval_tokens} other tokens`]]
}

function journalBeside(out: string, name: string): string {
  const target = resolve(out)
  return join(dirname(target), `.${basename(target)}.${name}.jsonl`)
}

function tellNotice(watch: Watch, message: string): void {
  watch.tell?.({ type: 'notice', message })
}

/** UsageError unless there is text; `why` says what needs it. */
export function needText({ hasText }: EditSubject, why: string): void {
  if (!hasText) throw new UsageError(`data: expected text to measure on with ${why}, got nothing`)
}

/** InputError where the weights are stored quantized. */
export function refuseQuantized({ config, source }: Pick<EditSubject, 'config' | 'source'>, what: string): void {
  if ((config.raw.quantization_config ?? null) === null) return
  throw new InputError(
    `model in ${source.base}: expected full-precision weights to ${what}, got quantized ones. Start from the model that they were made from`,
  )
}
