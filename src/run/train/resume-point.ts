// Where a run goes on: the checkpoint that the configuration names, or the last whole one of its output directory.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { readManifest, verifyCheckpoint } from '../../checkpoint/run-directory/manifest.ts'
import { findCheckpoints, latestValid } from '../../checkpoint/run-directory/run-directory.ts'
import type { TrainConfig } from '../../config/schema.ts'
import { InputError, UsageError } from '../../errors.ts'
import { sweepLeftovers } from '../../files/leftover.ts'
import { engineInfo } from '../../torch/index.ts'
import type { RunState } from '../../train/rule.ts'
import { restoreRunState } from '../../train/run-state.ts'
import type { RunTell } from './run-events.ts'

/** A finished run has one of these at the top of its folder. */
const FINAL = ['model.safetensors', 'model.safetensors.index.json', 'adapter_model.safetensors']

/** The file of the final model in an output directory; undefined where there is none. */
export function finalOf(outputDir: string): string | undefined {
  return FINAL.map((name) => join(outputDir, name)).find(existsSync)
}

/** The checkpoint that the configuration says to go on from; undefined for a run from the start. */
export function resumePoint(config: TrainConfig, tell: RunTell): string | undefined {
  const { output_dir, resume_from_checkpoint: wish } = config
  sweepLeftovers(output_dir)
  const sayDamaged = (path: string, problem: string): void =>
    tell({ type: 'notice', message: `${path} is damaged and is left out: ${problem}` })
  if (wish === undefined) {
    const [old] = findCheckpoints(output_dir)
    if (old === undefined) return undefined
    // Resuming could not tell the two runs apart.
    throw new UsageError(
      `output_dir: expected a folder without checkpoints for a new run, got ${old.path}. Go on with resume_from_checkpoint: auto, or choose another output_dir`,
    )
  }
  if (wish !== 'auto') {
    if (!existsSync(wish)) throw noCheckpoint(wish, output_dir)
    verifyCheckpoint(wish)
  }
  const path = wish !== 'auto' ? wish : latestValid(output_dir, sayDamaged)?.path
  const final = finalOf(output_dir)
  if (path === undefined && final !== undefined)
    throw new UsageError(
      `resume_from_checkpoint: expected a whole checkpoint in ${output_dir}, got none, and a final model that a new run would replace (${final}). Choose another output_dir, or go on from that model with model_name_or_path or adapter_name_or_path`,
    )
  if (path === undefined)
    tell({ type: 'notice', message: `no whole checkpoint in ${output_dir}, starting from the beginning` })
  else if (!existsSync(join(path, 'run_state.json'))) {
    throw new UsageError(
      `resume_from_checkpoint: expected a checkpoint with run_state.json, got ${path}, which was saved with save_only_model`,
    )
  }
  return path
}

function noCheckpoint(wish: string, outputDir: string): InputError {
  const steps = findCheckpoints(outputDir).map(({ path }) => path)
  const others = steps.length === 0 ? `${outputDir} has no checkpoint` : `there are ${steps.join(', ')}`
  return new InputError(
    `resume_from_checkpoint: expected the directory of a checkpoint, got ${wish}, which is not there; ${others}. Correct the path, or use auto for the last one of output_dir`,
  )
}

/** Takes over the state of the checkpoint in `directory`. */
export function restoreRun(directory: string, run: RunState, tell: RunTell): void {
  restoreRunState(directory, run)
  const { meta } = readManifest(directory)
  const place = (version: unknown, device: unknown, matmul: unknown, threads: unknown): string =>
    `LibTorch ${version} on ${device}${matmul === undefined ? '' : ` (${matmul})`} with ${threads} threads`
  const before = place(meta.versions.torch, meta.device, meta.matmul, meta.threads)
  const { version, matmul, threads } = engineInfo()
  const now = place(version, run.generator.device, matmul, threads)
  if (before !== now)
    tell({ type: 'notice', message: `saved with ${before}, now ${now}: bit-equal results are not promised` })
}
