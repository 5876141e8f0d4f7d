// trainer_state.json as Transformers 5 writes it, so that its tools (and ours) read the history of a run.
// It is a report: exact resume rests on the other files of a checkpoint.

import { join } from 'node:path'
import { z } from 'zod'
import { CheckpointError } from '../../errors.ts'
import { type WrittenFile, writeFileAtomic } from '../../files/atomic-write.ts'
import { readBounded } from '../../files/bounded-read.ts'
import { parseJson } from '../../files/read-json.ts'

/** Name of the file inside a checkpoint or an output directory. */
export const TRAINER_STATE = 'trainer_state.json'
const MAX_BYTES = 256_000_000

/** A row of `log_history`: `{loss, grad_norm, learning_rate, epoch, step}` or `{eval_loss, eval_runtime, …, epoch, step}`. */
export type LogRow = Readonly<Record<string, number | string | null>>

/** Every key of trainer_state.json, under Hugging Face's names; others are kept as they are. */
export interface TrainerState {
  best_global_step: number | null
  best_metric: number | null
  best_model_checkpoint: string | null
  epoch: number | null
  eval_steps: number | null
  global_step: number
  is_hyper_param_search: boolean
  is_local_process_zero: boolean
  is_world_process_zero: boolean
  log_history: LogRow[]
  logging_steps: number | null
  max_steps: number
  num_input_tokens_seen: number
  num_train_epochs: number
  save_steps: number | null
  stateful_callbacks: Record<string, unknown>
  total_flos: number
  train_batch_size: number | null
  trial_name: string | null
  trial_params: Record<string, unknown> | null
  [key: string]: unknown
}

const number = z.number().nullable()
// Defaults are those of Transformers' TrainerState; files of its older versions leave some keys out.
const schema: z.ZodType<TrainerState> = z.looseObject({
  best_global_step: number.default(null),
  best_metric: number.default(null),
  best_model_checkpoint: z.string().nullable().default(null),
  epoch: number.default(0),
  eval_steps: number.default(500),
  global_step: z.number().default(0),
  is_hyper_param_search: z.boolean().default(false),
  is_local_process_zero: z.boolean().default(true),
  is_world_process_zero: z.boolean().default(true),
  log_history: z.array(z.record(z.string(), z.union([z.number(), z.string(), z.null()]))).default([]),
  logging_steps: number.default(500),
  max_steps: z.number().default(0),
  num_input_tokens_seen: z.number().default(0),
  num_train_epochs: z.number().default(0),
  save_steps: number.default(500),
  stateful_callbacks: z.record(z.string(), z.unknown()).default({}),
  total_flos: z.number().default(0),
  train_batch_size: number.default(null),
  trial_name: z.string().nullable().default(null),
  trial_params: z.record(z.string(), z.unknown()).nullable().default(null),
})

/** A complete state: the given fields over Transformers' defaults. */
export function trainerState(fields: Partial<TrainerState> = {}): TrainerState {
  return schema.parse(fields)
}

/** Writes trainer_state.json into `directory` (indent 2, keys sorted); numbers that JSON cannot hold become null. */
export function writeTrainerState(directory: string, state: TrainerState): WrittenFile {
  return writeFileAtomic(join(directory, TRAINER_STATE), `${JSON.stringify(sortKeys(state), null, 2)}\n`)
}

/** Reads trainer_state.json from `directory`, ours or one by Transformers; throws a CheckpointError if it is damaged. */
export function readTrainerState(directory: string): TrainerState {
  const file = join(directory, TRAINER_STATE)
  const damaged = (what: string, cause?: unknown): CheckpointError =>
    new CheckpointError(`damaged trainer state in ${file}: expected the keys of TrainerState, got ${what}`, { cause })
  let text: string
  try {
    text = readBounded(file, MAX_BYTES).toString('utf8')
  } catch (error) {
    throw damaged((error as NodeJS.ErrnoException).code ?? 'no plain file of a sane size', error)
  }
  let json: unknown
  try {
    // Python writes a loss that diverged as the bare word NaN or Infinity, which is no JSON.
    json = parseJson(text.replace(/^(\s*"[^"\n]*": )(?:NaN|-?Infinity)(,?)$/gm, '$1null$2'), file)
  } catch (error) {
    throw damaged('text that is not JSON', error)
  }
  const parsed = schema.safeParse(json)
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]!
  throw damaged(`${issue.message} at ${issue.path.join('.') || 'the top'}`)
}

function sortKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortKeys)
  if (typeof value !== 'object' || value === null) return value
  const members = Object.entries(value).map(([key, member]) => [key, sortKeys(member)] as const)
  return Object.fromEntries(members.sort(([a], [b]) => (a < b ? -1 : 1)))
}
