// Configuration → a run that is ready to start: tokenizer, data, model, objective, tried on its longest batch. Everything that can be
// wrong with the configuration is found here, before the first byte is written into `output_dir`.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { isHeadedStage } from '../../config/encoder-keys.ts'
import type { TrainConfig } from '../../config/schema.ts'
import { ConfigError } from '../../errors.ts'
import { takeOutputDirectory } from '../../files/output-directory.ts'
import type { AnyModel } from '../../model/any-model.ts'
import { Decoder } from '../../model/decoder.ts'
import type { Tokenizer } from '../../text/tokenizer.ts'
import { resolveDevice, setThreads } from '../../torch/index.ts'
import { turn } from '../../work.ts'
import { preflight } from '../memory/preflight.ts'
import { checkWeightsFit } from '../memory/weights-fit.ts'
import { modelNotices } from '../model-notices.ts'
import type { Finetuning, RunObjective } from './finetuning.ts'
import { foreignTokenizer } from './foreign-tokenizer.ts'
import { makeFinetuning } from './make-finetuning.ts'
import { tokenizerOf } from './model-of.ts'
import { readStage } from './read-stage.ts'
import { resolveDatasets } from './resolve-datasets.ts'
import { resolveNames } from './resolve-names.ts'
import { resumePoint } from './resume-point.ts'
import type { RunWatch } from './run-events.ts'
import { continueOrigin, type RunOrigin, runOrigin } from './run-origin.ts'
import type { StageData } from './stage-data.ts'
import { resolveStart } from './starting-model.ts'
import { warningOfUntrainedStops } from './untrained-stops.ts'

/** What a configuration stands for, made and checked. */
export interface Run {
  readonly config: TrainConfig
  readonly tokenizer: Tokenizer
  readonly data: StageData
  readonly finetuning: Finetuning
  readonly objective: RunObjective
  /** Matrix products are made in bf16. */
  readonly bf16: boolean
  readonly resumeFrom: string | undefined
  /** What it is made from, and what was changed since it began. */
  readonly origin: RunOrigin
  /** Gives back memory and files. */
  close(): void
}

/**
 * Checks and makes everything; a wrong configuration leaves nothing behind, not even an empty `output_dir`. Nobody else can write
 * there until the run is closed.
 */
export async function prepareRun(given: TrainConfig, watch: RunWatch, isTrial = false): Promise<Run> {
  const notice = (message: string): void => watch.tell({ type: 'notice', message })
  const config = resolveStart(await resolveNames(await resolveDatasets(given, watch), watch), notice)
  const device = resolveDevice(config.device)
  const bf16 = computesInBf16(config, device)
  if (config.threads !== undefined) setThreads(config.threads)
  // A wrong model is said before hours of tokenizing.
  const { tokenizer, hash, model: described } = await tokenizerOf(config)
  for (const message of modelNotices(described, tokenizer)) notice(message)
  const foreign = await foreignTokenizer(config, tokenizer)
  if (foreign !== undefined) notice(foreign)
  const { output_dir } = config
  const giveBack = takeOutputDirectory(output_dir, 'output_dir')
  let data: StageData | undefined
  let model: AnyModel | undefined
  const close = (): void => {
    data?.close()
    model?.free()
    giveBack()
  }
  try {
    const resumeFrom = resumePoint(config, watch.tell)
    const started = runOrigin(config, tokenizer, hash)
    const origin = resumeFrom === undefined ? started : continueOrigin(started, resumeFrom, notice)
    const quarantine = isTrial ? undefined : join(output_dir, 'quarantine')
    data = await readStage(config, tokenizer, hash, described, { ...watch, quarantine })
    await turn(watch)
    checkWeightsFit(config, tokenizer, device)
    const finetuning = makeFinetuning(config, { tokenizer, described, data, device, resumeFrom, notice })
    model = finetuning.model
    checkLength(config, finetuning, notice)
    model.gradientCheckpointing = config.gradient_checkpointing
    const stageObjective = await data.objective(finetuning, { isFresh: resumeFrom === undefined, bf16 }, watch)
    const objective = finetuning.objective?.(stageObjective) ?? stageObjective
    const message = model instanceof Decoder ? warningOfUntrainedStops(model, data.stopTokenIds, tokenizer) : undefined
    if (message !== undefined) notice(message)
    await preflight({ config, model, train: data.train, evaluation: data.evaluation, objective, bf16 }, watch)
    await turn(watch)
    // A resumed run has it from its checkpoint.
    const { merged = [] } = finetuning
    const whole = merged.length > 0 ? { ...origin, merged } : origin
    return { config, tokenizer, data, finetuning, objective, bf16, resumeFrom, origin: whole, close }
  } catch (error) {
    close()
    const left = join(output_dir, 'quarantine')
    if (!isTrial && existsSync(left) && !String(error).includes(left))
      notice(`the lines that could not be read are kept in ${left}`)
    throw error
  }
}

/** What `bf16: auto` means on a device. */
export function computesInBf16({ bf16 }: TrainConfig, device: string): boolean {
  return bf16 === 'auto' ? device !== 'cpu' : bf16
}

/** Learned positions end; rotary ones go on. */
function checkLength(
  { stage, max_length, model_name_or_path }: TrainConfig,
  { model, reader }: Finetuning,
  notice: (message: string) => void,
): void {
  if (isHeadedStage(stage)) return // rows are as long as the model reads, which is said
  const { hasLearnedPositions, maxPositionEmbeddings } = model.config
  const virtual = reader?.prefix?.length ?? 0
  const most = maxPositionEmbeddings - virtual
  const reach = virtual === 0 ? '' : `, with ${virtual} virtual tokens before it ${max_length + virtual} positions`
  if (max_length <= most) return
  if (!hasLearnedPositions) {
    if (model_name_or_path !== undefined)
      notice(
        `max_length is ${max_length}${reach}, and the model was made for ${maxPositionEmbeddings} positions (max_position_embeddings)`,
      )
    return
  }
  throw new ConfigError(
    `max_length: expected at most the model's ${most} positions${most < maxPositionEmbeddings ? ' behind the prompt' : ''}, got ${max_length}. Use a shorter one`,
  )
}
