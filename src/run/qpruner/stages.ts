// What each stage of `anneal qpruner` does with its empty directory. Stages know the directories of those before, and nothing of whether
// they were made just now.
import { existsSync, mkdirSync, readdirSync, renameSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { PassRecord } from '../../checkpoint/model-directory/lineage.ts'
import { openModelWeights } from '../../checkpoint/model-directory/model-weights.ts'
import { datedSteps, writeModel } from '../../checkpoint/model-directory/write-model.ts'
import { trainConfig } from '../../config/parse.ts'
import type { TrainConfig, TrainConfigValues } from '../../config/schema.ts'
import { hashBatches } from '../../data/calibration.ts'
import { writeFileAtomic } from '../../files/atomic-write.ts'
import { readJsonFile } from '../../files/read-json.ts'
import { saveLora } from '../../methods/lora/adapter-files.ts'
import { attachAdapters, setAdapters } from '../../methods/lora/lora.ts'
import { unload } from '../../methods/lora/merge.ts'
import type { MergeBase } from '../../methods/lora/quantized-base.ts'
import { type PruneOptions, resolveOptions } from '../../methods/prune/options.ts'
import { prune } from '../../methods/prune/prune.ts'
import { type FormatsSummary, summariseFormats } from '../../methods/quantize/figures.ts'
import { type InPlaceOptions, quantizeAs, quantizeWithLoftq } from '../../methods/quantize/in-place.ts'
import { chooseFormats, type FormatOptions, formatsByPath } from '../../methods/quantize/quantize.ts'
import type { Decoder } from '../../model/decoder.ts'
import type { QuantFormat } from '../../nn/quant/format.ts'
import { Journal } from '../../probe/journal.ts'
import type { Watch } from '../../work.ts'
import type { Windows } from '../edit/edit-windows.ts'
import { lossOf } from '../edit/measure-model.ts'
import type { LoadedModel } from '../load-model.ts'
import type { ModelSource } from '../model-source.ts'
import { missOf } from '../prune/prune-report.ts'
import { allocationNamed } from '../quantize/allocation.ts'
import type { AllocationName } from '../quantize/allocation-names.ts'
import { bringCompanions, hashAll, hashSource } from '../source-files.ts'
import type { PruneSection, QprunerConfig, RecoverSection } from './config.ts'

export interface StageContext {
  config: QprunerConfig
  /** What the pipeline begins with. */
  original: ModelSource
  windows: Windows
  watch: Watch
  /** Loads on the device and in the type of the run; `onto` merges adapters. */
  load(source: ModelSource, onto?: MergeBase): Promise<LoadedModel>
}

/** What a choice of formats leaves behind. */
export type ChosenFile = FormatsSummary & {
  /** Path of every matrix → format. */
  paths: Record<string, QuantFormat>
}

/** One model of the pipeline, judged on windows that nothing was chosen by. */
export interface Judged {
  name: string
  loss: number
  perplexity: number
  /** Bytes of the weight files, an adapter's included. */
  bytes: number
}

const CHOSEN = 'formats.json'
const ADAPTER = 'adapter'
const MAX_BYTES = 64 << 20

/** Adapters of the original are merged into it, as every edit does. */
const ONTO = 'dequantized'

export async function pruneInto(
  directory: string,
  { config, original, windows, watch, load }: StageContext,
): Promise<void> {
  const loaded = await load(original, ONTO)
  try {
    const options = pruneOptionsOf(config.prune!, config.seed)
    const resolved = resolveOptions(options, loaded.model.config.layers.length)
    const record = await prune(loaded.model, windows.calibration, options, watch)
    for (const message of missOf(record.report, resolved)) watch.tell?.({ type: 'notice', message })
    await writeStage(directory, loaded, record)
  } finally {
    loaded.model.free()
  }
}

/** The section as pruning takes it. */
export function pruneOptionsOf(section: PruneSection, seed: number): PruneOptions {
  const { ratio, importance, scope, layout, align, protect_first, protect_last } = section
  return {
    ratio,
    importance,
    scope,
    layout,
    seed,
    ...(align !== undefined && { align }),
    ...(protect_first !== undefined && { protectFirst: protect_first }),
    ...(protect_last !== undefined && { protectLast: protect_last }),
  }
}

/** The model as it is now, with all that belongs to one, and `step` behind the steps that made it. */
async function writeStage(
  directory: string,
  { model, source, lineage, steps }: LoadedModel,
  step: PassRecord,
): Promise<void> {
  await writeModel(directory, {
    model,
    companions: (to) => bringCompanions(source, to),
    lineage: [...lineage, ...datedSteps([...steps, step], hashSource(source), source.base)],
  })
}

/** Chooses formats for `base`. The journal is shared: the search reads what the allocation measured. */
export async function chooseInto(
  directory: string,
  base: ModelSource,
  method: AllocationName,
  journalPath: string,
  { config, windows, watch, load }: StageContext,
): Promise<void> {
  const { budget_bits, formats, granularity, quantizer, objective, evaluations } = config.quantize
  const options: FormatOptions = {
    budgetBits: budget_bits,
    allocate: allocationNamed(method),
    formats,
    granularity,
    quantizer,
    objective,
    evaluations: Math.max(1, evaluations),
    seed: config.seed,
  }
  const { model } = await load(base, ONTO)
  const header = {
    model: hashAll(base),
    data: hashBatches(windows.calibration),
    formats: formats.join(),
    granularity,
    quantizer,
    device: model.device,
  }
  const journal = Journal.open(journalPath, header)
  try {
    const { allocation, bank } = await chooseFormats(model, windows.calibration, options, {
      ...watch,
      cells: journal,
    })
    const chosen: ChosenFile = {
      ...summariseFormats(bank, allocation),
      paths: Object.fromEntries(formatsByPath(bank, allocation)),
    }
    bank.free()
    writeFileAtomic(join(directory, CHOSEN), `${JSON.stringify(chosen, null, 2)}\n`)
  } finally {
    if (journal.size === 0) journal.remove()
    else journal.close()
    model.free()
  }
}

export function readChosen(directory: string): ChosenFile {
  return readJsonFile(join(directory, CHOSEN), MAX_BYTES) as ChosenFile
}

/** The model of `base` in the formats of `chosen`, and the adapter that recovery starts from. */
export async function quantizeInto(
  directory: string,
  base: ModelSource,
  chosen: string,
  { config, windows, watch, load }: StageContext,
): Promise<void> {
  const formats = new Map(Object.entries(readChosen(chosen).paths))
  const { recover, quantize, seed } = config
  const loaded = await load(base, ONTO)
  const { model } = loaded
  const inPlace: InPlaceOptions = {
    formats,
    quantizer: quantize.quantizer,
    calibration: windows.calibration,
  }
  try {
    if (recover !== undefined && recover.loftq_iterations > 0) {
      await startFromLoftq(model, inPlace, recover, seed, watch)
      mkdirSync(join(directory, ADAPTER))
      saveLora(model, join(directory, ADAPTER), { baseModel: resolve(config.output_dir, 'quantized') })
      unload(model)
    } else await quantizeAs(model, inPlace, watch)
    await writeStage(directory, loaded, {
      pass: 'qpruner',
      options: { ...quantize, recover, seed },
      report: { formats: Object.fromEntries(formats) },
    })
  } finally {
    model.free()
  }
}

async function startFromLoftq(
  model: Decoder,
  inPlace: InPlaceOptions,
  { lora_r: rank, lora_alpha = 2 * rank, loftq_iterations: iterations }: RecoverSection,
  seed: number,
  watch: Watch,
): Promise<void> {
  const starts = await quantizeWithLoftq(model, inPlace, { rank, scale: lora_alpha / rank, iterations, seed }, watch)
  const adapters = Array.from(starts, ([path, { A, B }]): Parameters<typeof attachAdapters>[2][number] => [
    path,
    { A, B, magnitude: null, alpha: lora_alpha, useRslora: false, dropout: 0 },
  ])
  attachAdapters(model, 'default', adapters)
  setAdapters(model, 'default')
}

/** The configuration of the training that recovers: LoRA on the quantized model, resumed where it was stopped. */
export function recoverConfig(
  config: QprunerConfig,
  quantized: string,
  work: string,
): (resume: boolean) => TrainConfig {
  const { recover, dataset, text_column, seed, device, threads } = config
  const { loftq_iterations, lora_alpha, ...training } = recover!
  const values: TrainConfigValues = {
    stage: 'pretrain',
    finetuning: 'lora',
    model_name_or_path: quantized,
    dataset,
    text_column,
    output_dir: work,
    seed,
    device,
    ...(threads !== undefined && { threads }),
    ...training,
    ...(lora_alpha !== undefined && { lora_alpha }),
    ...(loftq_iterations > 0 && { adapter_name_or_path: join(quantized, ADAPTER) }),
    lr_scheduler_type: 'cosine',
    warmup_steps: 0.03,
    save_steps: Math.ceil(training.max_steps / 4),
    save_total_limit: 1,
  }
  return (resume) => trainConfig({ ...values, ...(resume && { resume_from_checkpoint: 'auto' }) }, 'recover')
}

/** Takes over what training left at the top of its folder; its checkpoints stay behind. */
export async function recoverInto(directory: string, work: string): Promise<void> {
  for (const name of readdirSync(work))
    if (!name.startsWith('checkpoint-') && !name.startsWith('.')) renameSync(join(work, name), join(directory, name))
}

/** The models of the pipeline on the evaluation windows. */
export async function judge(
  models: readonly { name: string; source: ModelSource; onto?: MergeBase }[],
  { windows, watch, load }: StageContext,
): Promise<Judged[]> {
  const judged: Judged[] = []
  for (const { name, source, onto } of models) {
    const { model } = await load(source, onto)
    try {
      const { loss } = (await lossOf(model, windows.evaluation, watch))!
      judged.push({ name, loss, perplexity: Math.exp(loss), bytes: bytesOf(source) })
    } finally {
      model.free()
    }
  }
  return judged
}

/** The adapter that the quantized model starts recovery with; undefined where it starts from zero. */
export function startAdapter(quantized: string): string | undefined {
  const directory = join(quantized, ADAPTER)
  return existsSync(directory) ? directory : undefined
}

function bytesOf({ base, isGguf, adapters }: ModelSource): number {
  const weights = isGguf ? [base] : openModelWeights(base).files
  const beside = adapters.flatMap(({ directory }) => openModelWeights(directory, 'adapter_model').files)
  return [...weights, ...beside].reduce((sum, file) => sum + statSync(file).size, 0)
}
