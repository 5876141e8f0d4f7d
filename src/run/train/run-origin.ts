// What a run is made from, kept in each of its checkpoints, so that going on with something else is noticed: another model or
// tokenizer is refused, so is what moves the position in the data; the rest is told key by key and recorded.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { type LineageStep, lineageSchema } from '../../checkpoint/model-directory/lineage.ts'
import { readManifest } from '../../checkpoint/run-directory/manifest.ts'
import { heldPaths } from '../../config/data-keys.ts'
import type { ConfigKey, TrainConfig } from '../../config/schema.ts'
import { listFiles } from '../../data/read/files.ts'
import { UsageError } from '../../errors.ts'
import { fileMark } from '../../files/file-mark.ts'
import { hashText } from '../../files/hash.ts'
import { isGguf } from '../../gguf/load-parts.ts'
import type { Tokenizer } from '../../text/tokenizer.ts'
import { isAdapter, modelSource } from '../model-source.ts'
import { sourceWeights } from '../source-files.ts'
import { PLACES } from './fingerprint.ts'
import { freshConfigOf } from './model-of.ts'
import { pinnedConfig } from './resolve-names.ts'

/** A key that a resumed run has otherwise than the run that saved its checkpoint. */
export interface ConfigChange {
  key: string
  before: unknown
  now: unknown
  /** The step after which it counts. */
  step: number
}

export interface RunOrigin {
  readonly config: Readonly<Record<string, unknown>>
  /** Marks of contents; undefined where the model that the run starts from is not there any more. */
  readonly model?: string | undefined
  readonly tokenizer: string
  readonly data: string
  /** Of what `eval_dataset` names. */
  readonly evaluation?: string | undefined
  readonly changes: readonly ConfigChange[]
  /** What was done to the model before the first step: adapters merged into its weights. */
  readonly merged?: readonly LineageStep[] | undefined
}

const schema = z.object({
  config: z.record(z.string(), z.unknown()),
  model: z.string().optional(),
  tokenizer: z.string(),
  data: z.string(),
  evaluation: z.string().optional(),
  changes: z.array(z.object({ key: z.string(), before: z.unknown(), now: z.unknown(), step: z.number() })),
  merged: lineageSchema.optional(),
})

/** Keys that say what kind of run it is. */
const KIND: readonly ConfigKey[] = ['stage', 'finetuning']
/** Keys that decide which samples there are and in which order they come. */
const POSITION: readonly ConfigKey[] = [
  'per_device_train_batch_size',
  'gradient_accumulation_steps',
  'data_seed',
  'max_length',
  'val_split',
  'text_column',
  'label_column',
  'training_dynamics',
  'crossfit_folds',
  'crossfit_fold',
  'id_column',
  'mlm_probability',
  'whole_word_mask',
  'mix_strategy',
  'interleave_probs',
  'columns',
  'add_bos_token',
  'packing',
  'on_overlong',
  'split_special_tokens',
]
/** Told already, or of no consequence for what is learnt. */
const SILENT: ReadonlySet<string> = new Set([...PLACES, 'run_name', 'device', 'threads', ...KIND, ...POSITION])

/** What a run of this configuration is made from. `tokenizerHash` stands for all that decides its ids. */
export function runOrigin(config: TrainConfig, tokenizer: Tokenizer, tokenizerHash: string): RunOrigin {
  const marks = (paths: readonly string[]): string => joined(listFiles(paths).map(fileMark))
  const isMixed = (config.mix_strategy ?? 'concat') !== 'concat'
  const held = heldPaths(config.eval_dataset)
  return {
    config: JSON.parse(JSON.stringify(pinnedConfig(config))),
    model: modelMark(config, tokenizer),
    tokenizer: tokenizerHash.slice(0, 16),
    // Of sources with shares it matters, too, what belongs to which.
    data: isMixed ? joined(config.dataset.map((path) => marks([path]))) : marks(config.dataset),
    ...(held && { evaluation: marks(held) }),
    changes: [],
  }
}

/**
 * Compares with what the checkpoint was made from, and returns `now` with all changes so far; `tell` hears of the new ones in one line. A UsageError
 * says which key to restore, or how to start anew from the weights. Checkpoints of before this was kept are taken as they are.
 */
export function continueOrigin(now: RunOrigin, checkpoint: string, tell: (change: string) => void): RunOrigin {
  const { meta, step } = readManifest(checkpoint)
  const parsed = schema.safeParse(meta.origin)
  if (!parsed.success) return now
  const before = parsed.data
  const refuse = (what: string, expected: string, got: string, advice: string): never => {
    throw new UsageError(
      `resume_from_checkpoint: ${what} of ${checkpoint}: expected ${expected}, got ${got}. ${advice}, or start anew from its weights: model_name_or_path: ${checkpoint} and another output_dir, without resume_from_checkpoint`,
    )
  }
  const shown = (origin: { config: Readonly<Record<string, unknown>> }, key: string): string =>
    JSON.stringify(origin.config[key]) ?? 'nothing'
  const differs = (key: string): boolean => shown(before, key) !== shown(now, key)

  for (const key of KIND)
    if (differs(key)) refuse(key, shown(before, key), shown(now, key), `Restore ${key}: ${shown(before, key)}`)
  const others = otherParts(before, now)
  if (others.length > 0) {
    const each = (pick: (part: OtherPart) => string): string => others.map(pick).join(' and ')
    const what = each(({ name }) => name)
    const began = `${others.length > 1 ? 'those' : 'the one'} that the run began with (${each((part) => part.before)})`
    refuse(
      what,
      began,
      each(({ got }) => got),
      `Restore ${others.length > 1 ? 'them' : 'it'}`,
    )
  }
  for (const key of POSITION.filter(differs))
    refuse(
      key,
      `${shown(before, key)}, by which the position in the data is counted`,
      shown(now, key),
      `Restore ${key}: ${shown(before, key)}`,
    )
  if (before.data !== now.data)
    refuse('dataset', 'the files that the run began with', 'others, or changed ones', 'Restore dataset')

  // Without evaluations their interval follows that of the log, and means nothing.
  const isSilent = (key: string): boolean =>
    SILENT.has(key) || (key === 'eval_steps' && now.config.eval_strategy !== 'steps')
  const keys = new Set([...Object.keys(before.config), ...Object.keys(now.config)].filter((key) => !isSilent(key)))
  const changed = [...keys].filter(differs)
  if (changed.length > 0) {
    const list = changed.map((key) => `${key} ${shown(now, key)} (was ${shown(before, key)})`).join(', ')
    tell(`going on after step ${step} with other settings than before it: ${list}`)
  }
  if (before.evaluation !== now.evaluation) {
    tell(`eval_dataset is other text from step ${step + 1} on: losses on it do not compare with those of before`)
    changed.push('eval_dataset')
  }
  const changes = changed.map((key): ConfigChange => {
    return { key, before: before.config[key] ?? null, now: now.config[key] ?? null, step }
  })
  return { ...now, merged: before.merged, changes: [...(before.changes as ConfigChange[]), ...changes] }
}

/** What the run is made from and is another thing now. */
interface OtherPart {
  name: 'model' | 'tokenizer'
  before: string
  got: string
}

function otherParts(before: Pick<RunOrigin, 'config' | 'model' | 'tokenizer'>, now: RunOrigin): OtherPart[] {
  const part = (name: OtherPart['name'], keys: readonly ConfigKey[]): OtherPart => {
    const place = ({ config }: Pick<RunOrigin, 'config'>): string =>
      JSON.stringify(keys.map((key) => config[key]).find((value) => value !== undefined && value !== null)) ?? 'nothing'
    const [then, today] = [place(before), place(now)]
    // What was moved unchanged has the mark that it had, so the same place holds something else.
    return { name, before: then, got: then === today ? `${today} with other contents` : today }
  }
  return [
    ...(before.model !== undefined && now.model !== undefined && before.model !== now.model
      ? [part('model', ['model_name_or_path', 'config_path', 'model'])]
      : []),
    ...(before.tokenizer !== now.tokenizer
      ? [part('tokenizer', ['tokenizer_name_or_path', 'model_name_or_path'])]
      : []),
  ]
}

function modelMark(config: TrainConfig, tokenizer: Tokenizer): string | undefined {
  const { model_name_or_path: directory } = config
  if (directory === undefined) return joined([JSON.stringify(freshConfigOf(config, tokenizer)!.raw)])
  // The adapter that LoRA starts from is told with its key; what is merged is part of the model.
  if (!existsSync(join(directory, 'config.json')) && !isAdapter(directory) && !existsAsGguf(directory)) return undefined
  return joined(sourceWeights(modelSource(directory)).map(fileMark))
}

const existsAsGguf = (path: string): boolean => existsSync(path) && isGguf(path)

function joined(marks: readonly string[]): string {
  return hashText(marks.join()).slice(0, 16)
}
