// The options of `anneal sleb` → what is going to happen; everything that can be wrong with them is said here, before any work.
import { existsSync, readdirSync, realpathSync, statSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { loadConfig } from '../../checkpoint/model-directory/load.ts'
import type { OptionValues } from '../../cli/command.ts'
import type { MODEL_OPTIONS } from '../../cli/lm-options.ts'
import { InputError, UsageError } from '../../errors.ts'
import { checkOutputFolder } from '../../files/output-file.ts'
import { resolveOptions, type SlebOptions } from '../../methods/sleb/options.ts'
import { unitsOf } from '../../methods/sleb/unit.ts'
import type { DecoderConfig } from '../../model/config.ts'
import { loadDtype } from '../../model/dtype.ts'
import { type DType, resolveDevice } from '../../torch/index.ts'
import type { SLEB_OPTIONS } from './sleb-options.ts'

/** The values of the command's options. */
export type SlebRun = OptionValues<typeof SLEB_OPTIONS & Pick<typeof MODEL_OPTIONS, 'device' | 'dtype' | 'threads'>>

export interface SlebPlan {
  config: DecoderConfig
  options: SlebOptions
  /** Tokens in a window. */
  length: number
  device: 'cpu' | 'cuda'
  dtype: DType
  journal: string
}

const DEFAULT_LENGTH = 2048

export function planSleb(run: SlebRun): SlebPlan {
  checkModel(run.model)
  const config = loadConfig(run.model)
  const { granularity, search, metric, refine, protectFirst, protectLast } = run
  const remove = removeOf(run, config)
  const options = { remove, granularity, search, metric, refine, protectFirst, protectLast }
  resolveOptions(config, options)
  checkTarget(run)
  const context = config.maxPositionEmbeddings
  if (run.length !== undefined && run.length > context)
    throw new UsageError(`--length: expected at most ${context}, the model's context, got ${run.length}`)
  const device = resolveDevice(run.device)
  return {
    config,
    options,
    length: run.length ?? Math.min(DEFAULT_LENGTH, context),
    device,
    dtype: loadDtype(run.dtype, config.dtype, device),
    journal: run.journal ?? join(dirname(resolve(run.out)), `.${basename(resolve(run.out))}.sleb.jsonl`),
  }
}

function checkModel(directory: string): void {
  const expected = `--model ${directory}: expected a model directory, got`
  if (statSync(directory, { throwIfNoEntry: false })?.isFile())
    throw new InputError(`${expected} a file. Make a directory of it with anneal export`)
  if (existsSync(join(directory, 'config.json')) || !existsSync(join(directory, 'adapter_config.json'))) return
  throw new InputError(
    `${expected} an adapter, which has no blocks of its own. Merge it into its model first, or remove blocks from that model`,
  )
}

/** A share is of all blocks (or sub-layers), protected or not, and rounded up as in the paper: 20 % of 32 blocks are 7. */
function removeOf({ remove, ratio, granularity }: SlebRun, config: DecoderConfig): number {
  if ((remove === undefined) === (ratio === undefined))
    throw new UsageError(`--remove: expected either it or --ratio, got ${remove === undefined ? 'neither' : 'both'}`)
  if (remove !== undefined) return remove
  if (!(ratio! < 1)) throw new UsageError(`--ratio: expected a share below 1, got ${ratio}`)
  const all = unitsOf(config, granularity, { first: 0, last: 0 }).length
  return Math.ceil(ratio! * all - 1e-9) // 0.55 · 20 is a little more than 11
}

function checkTarget({ model, out }: SlebRun): void {
  checkOutputFolder(out, '--out')
  if (!existsSync(out)) return
  if (realpathSync(out) === realpathSync(model))
    throw new UsageError(`--out: expected another folder than --model, got ${out} for both`)
  if (readdirSync(out).length > 0)
    throw new UsageError(`--out: expected a new or empty folder, got ${out} with files in it. Choose another one`)
}
