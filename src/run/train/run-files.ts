// What a run writes into output_dir: checkpoints while it goes on, and the final model at the top.
import { join } from 'node:path'
import { copyCompanions } from '../../checkpoint/model-directory/companions.ts'
import { writeLineage } from '../../checkpoint/model-directory/lineage.ts'
import { writeCheckpoint } from '../../checkpoint/run-directory/run-directory.ts'
import type { TrainConfig } from '../../config/schema.ts'
import { isGguf } from '../../gguf/load-parts.ts'
import { measured } from '../../report/amounts.ts'
import type { Tokenizer } from '../../text/tokenizer.ts'
import { engineInfo } from '../../torch/index.ts'
import type { RunState } from '../../train/rule.ts'
import { saveRunState } from '../../train/run-state.ts'
import { VERSION } from '../../version.ts'
import { modelSource, sourceLineage } from '../model-source.ts'
import type { Finetuning } from './finetuning.ts'
import { passedBest } from './passed-best.ts'
import { pinnedConfig } from './resolve-names.ts'
import type { RunLog } from './run-log.ts'
import type { RunOrigin } from './run-origin.ts'

/** What is written of: the configuration, the weights and their tokenizer, the log. */
export interface RunParts {
  config: TrainConfig
  finetuning: Finetuning
  tokenizer: Tokenizer
  /** Saved with the tokenizer in place of its own. */
  chatTemplate: string | undefined
  log: RunLog
  origin: RunOrigin
}

/** Writes checkpoint-N and returns its path. */
export async function saveCheckpoint(
  { config, finetuning, tokenizer, chatTemplate, log, origin }: RunParts,
  run: RunState,
): Promise<string> {
  const bestStep = run.best?.step
  const saved = await writeCheckpoint(
    config.output_dir,
    run.step,
    async (directory) => {
      await tokenizer.save(directory, chatTemplate === undefined ? {} : { chatTemplate })
      return [
        ...finetuning.save(directory, !config.save_only_model),
        log.write(directory, run.step),
        ...(config.save_only_model ? [] : saveRunState(directory, run)),
      ]
    },
    {
      versions: { torch: engineInfo().version, node: process.versions.node },
      threads: engineInfo().threads,
      seeds: { seed: config.seed, data_seed: config.data_seed },
      device: finetuning.model.device,
      matmul: engineInfo().matmul,
      origin,
    },
    {
      ...(config.save_total_limit !== undefined && { saveTotalLimit: config.save_total_limit }),
      ...(bestStep !== undefined && { bestCheckpoint: join(config.output_dir, `checkpoint-${bestStep}`) }),
    },
  )
  return saved.path
}

/**
 * Writes the final model to the top of `output_dir`: the weights after `step` steps, or the best checkpoint's. Returns the step whose
 * weights they are, and what people must know of them.
 */
export async function saveFinal(
  { config, finetuning, tokenizer, chatTemplate, log, origin }: RunParts,
  step: number,
): Promise<{ keptStep: number; notices: readonly string[] }> {
  const best = config.load_best_model_at_end ? log.bestCheckpoint : undefined
  const keptStep = best === undefined ? step : log.state.best_global_step!
  const notices = [...keptNotices(config, log, keptStep, step), ...finetuning.saveFinal(config.output_dir, best)]
  await tokenizer.save(config.output_dir, chatTemplate === undefined ? {} : { chatTemplate })
  const { model_name_or_path: base } = config
  const source = base === undefined ? undefined : modelSource(base, config.adapter_name_or_path)
  const places = source === undefined ? [] : [source.base, ...source.adapters.map((each) => each.directory)]
  for (const place of places) if (!isGguf(place)) copyCompanions(place, config.output_dir, ['licence'])
  log.write(config.output_dir, step)
  log.writeResults(config.output_dir, keptStep)
  const before = source === undefined ? [] : sourceLineage(source)
  writeLineage(config.output_dir, [
    ...before,
    ...(origin.merged ?? []),
    {
      pass: config.stage,
      options: JSON.parse(JSON.stringify(pinnedConfig(config))),
      report: { steps: keptStep, ...(origin.changes.length > 0 && { changes: origin.changes }) },
      date: new Date().toISOString(),
      annealVersion: VERSION,
    },
  ])
  return { keptStep, notices }
}

function keptNotices(config: TrainConfig, { state }: RunLog, keptStep: number, step: number): string[] {
  if (!config.load_best_model_at_end) return [passedBest(config, state)].filter((each) => each !== undefined)
  const { best_global_step: best, best_metric } = state
  if (best === keptStep)
    return [
      `the final model has the weights of step ${keptStep}, the best with ${config.metric_for_best_model} ${measured(best_metric!)}`,
    ]
  const why = best === null ? 'nothing was evaluated' : `the best, of step ${best}, were not saved`
  return [`the final model has the weights of step ${step}, the last: ${why}`]
}
