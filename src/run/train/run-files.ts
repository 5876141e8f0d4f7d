// What a run writes into output_dir: checkpoints while it goes on, and the final model at the top.
import { join } from 'node:path'
import { copyCompanions } from '../../checkpoint/model-directory/companions.ts'
import { readLineage, writeLineage } from '../../checkpoint/model-directory/lineage.ts'
import { writeCheckpoint } from '../../checkpoint/run-directory/run-directory.ts'
import type { TrainConfig } from '../../config/schema.ts'
import type { Tokenizer } from '../../text/tokenizer.ts'
import { engineInfo } from '../../torch/index.ts'
import { saveRunState } from '../../train/run-state.ts'
import type { RunState } from '../../train/train.ts'
import { VERSION } from '../../version.ts'
import type { Finetuning } from './finetuning.ts'
import type { RunLog } from './run-log.ts'

/** What is written of: the configuration, the weights and their tokenizer, the log. */
export interface RunParts {
  config: TrainConfig
  finetuning: Finetuning
  tokenizer: Tokenizer
  /** Saved with the tokenizer in place of its own. */
  chatTemplate: string | undefined
  log: RunLog
}

/** Writes checkpoint-N and returns its path. */
export async function saveCheckpoint(
  { config, finetuning, tokenizer, chatTemplate, log }: RunParts,
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
    },
    {
      ...(config.save_total_limit !== undefined && { saveTotalLimit: config.save_total_limit }),
      ...(bestStep !== undefined && { bestCheckpoint: join(config.output_dir, `checkpoint-${bestStep}`) }),
    },
  )
  return saved.path
}

/** Writes the final model to the top of `output_dir`: the weights after `step` steps, or the best checkpoint's. Returns what people must know. */
export async function saveFinal(
  { config, finetuning, tokenizer, chatTemplate, log }: RunParts,
  step: number,
): Promise<readonly string[]> {
  const notices = finetuning.saveFinal(
    config.output_dir,
    config.load_best_model_at_end ? log.bestCheckpoint : undefined,
  )
  await tokenizer.save(config.output_dir, chatTemplate === undefined ? {} : { chatTemplate })
  const { model_name_or_path: base } = config
  if (base !== undefined) copyCompanions(base, config.output_dir, ['licence'])
  log.write(config.output_dir, step)
  log.writeResults(config.output_dir)
  const before = base === undefined ? [] : readLineage(base)
  writeLineage(config.output_dir, [
    ...before,
    {
      pass: config.stage,
      options: JSON.parse(JSON.stringify(config)),
      report: { steps: step },
      date: new Date().toISOString(),
      annealVersion: VERSION,
    },
  ])
  return notices
}
