// A training run ↔ the files of a checkpoint beside the weights: optimizer.safetensors, run_state.json (step, tokens, best, random
// state, rules). With the weights and the data order, which is a function of the step, these are all that an exact resume needs.
import { join } from 'node:path'
import { z } from 'zod'
import { readTensors } from '../checkpoint/model-directory/read-tensors.ts'
import { writeSafetensors } from '../checkpoint/safetensors/safetensors-write.ts'
import { tensorSource } from '../checkpoint/safetensors/tensor-bytes.ts'
import { CheckpointError } from '../errors.ts'
import { type WrittenFile, writeFileAtomic } from '../files/atomic-write.ts'
import { readJsonFile } from '../files/read-json.ts'
import { scope } from '../torch/index.ts'
import type { RunState } from './rule.ts'

const MAX_BYTES = 64 << 20

const schema = z.strictObject({
  step: z.int().nonnegative(),
  skippedSteps: z.int().nonnegative(),
  consecutiveSkips: z.int().nonnegative(),
  tokens: z.int().nonnegative(),
  lossSum: z.number(),
  best: z.strictObject({ metric: z.number(), step: z.int() }).nullable(),
  evaluationsWithoutGain: z.int().nonnegative(),
  device: z.string(),
  generator: z.base64(),
  rules: z.record(z.string(), z.unknown()),
})

/** Writes the run's state into a checkpoint directory. */
export function saveRunState(directory: string, run: RunState): WrittenFile[] {
  const state: z.infer<typeof schema> = {
    step: run.step,
    skippedSteps: run.skippedSteps,
    consecutiveSkips: run.consecutiveSkips,
    tokens: run.tokens,
    lossSum: run.lossSum,
    best: run.best,
    evaluationsWithoutGain: run.evaluationsWithoutGain,
    device: run.generator.device,
    generator: Buffer.from(run.generator.getState()).toString('base64'),
    rules: Object.fromEntries(run.rules.map((rule) => [rule.name, rule.state?.() ?? null])),
  }
  return [
    writeSafetensors(
      join(directory, 'optimizer.safetensors'),
      Array.from(run.optimizer.state(), ([name, tensor]) => tensorSource(name, tensor)),
    ),
    writeFileAtomic(join(directory, 'run_state.json'), `${JSON.stringify(state, null, 2)}\n`),
  ]
}

/**
 * Puts the state saved in `directory` into `run`; the weights are loaded by the caller. Random numbers of another device cannot be
 * gone on with, so there they begin anew. Throws a CheckpointError.
 */
export function restoreRunState(directory: string, run: RunState): void {
  const file = join(directory, 'run_state.json')
  const parsed = schema.safeParse(readState(file))
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!
    throw new CheckpointError(`run state in ${file}:${issue.path.join('.')}: ${issue.message}`)
  }
  const { device, generator, rules, ...counters } = parsed.data
  Object.assign(run, counters)
  if (device === run.generator.device) run.generator.setState(new Uint8Array(Buffer.from(generator, 'base64')))
  for (const rule of run.rules) rule.restore?.(rules[rule.name])
  readTensors(directory, 'optimizer', ({ tensors, read }) =>
    scope(() => run.optimizer.restore((name) => (tensors.has(name) ? read(name) : undefined))),
  )
}

function readState(file: string): unknown {
  try {
    return readJsonFile(file, MAX_BYTES)
  } catch (error) {
    throw new CheckpointError(`run state in ${(error as Error).message}`, { cause: error })
  }
}
