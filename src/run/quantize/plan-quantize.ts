// The options of `anneal quantize` → what is going to happen; everything that can be wrong with them is said here, before any work.

import { existsSync, readdirSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { loadConfig } from '../../checkpoint/model-directory/load.ts'
import { readQuantization } from '../../checkpoint/model-directory/quantization-config.ts'
import { UsageError } from '../../errors.ts'
import { checkOutputFolder } from '../../files/output-file.ts'
import type { FormatGranularity, Quantizer, QuantObjective } from '../../methods/quantize/choices.ts'
import { DEFAULTS, type FormatOptions } from '../../methods/quantize/quantize.ts'
import { loadDtype } from '../../model/dtype.ts'
import { QUANT_FORMATS, type QuantFormat } from '../../nn/quant/format.ts'
import { type DType, resolveDevice } from '../../torch/index.ts'
import { refuseSameDirectory } from '../edit-target.ts'
import { type AllocationName, allocationNamed } from './allocation.ts'

/** The values of the command's options. */
export interface QuantizeRun {
  model: string
  out: string
  bits: '2' | '3' | '4' | '8' | '16' | undefined
  format: QuantFormat | undefined
  budgetBits: number | undefined
  allocate: AllocationName | undefined
  granularity: FormatGranularity
  choose: string[]
  quantizer: Quantizer | undefined
  objective: QuantObjective
  evaluations: number
  data: string[]
  evalData: string[]
  samples: number
  length: number
  batchSize: number
  textColumn: string
  seed: number
  journal: string | undefined
  device: 'auto' | 'cpu' | 'cuda'
  dtype: 'auto' | 'f32' | 'bf16' | 'f16'
  threads: number | undefined
}

export interface QuantizePlan {
  /** Null: 16 bits, the model stays as it is. */
  formats: FormatOptions | null
  device: 'cpu' | 'cuda'
  dtype: DType
  journal: string
}

const BITS = { 2: 'nf2', 3: 'nf3', 4: 'nf4', 8: 'int8' } as const
/** More than any format takes. */
const NO_LIMIT = 64

export function planQuantize(run: QuantizeRun): QuantizePlan {
  const formats = formatsOf(run)
  const config = loadConfig(run.model)
  if (readQuantization(config.raw, join(run.model, 'config.json')).size > 0)
    throw new UsageError(
      `--model: expected full-precision weights, got ${run.model}, which is quantized already. Quantize the model that it was made from`,
    )
  checkTarget(run)
  const needsText = formats !== null && (formats.allocate !== 'uniform' || formats.quantizer === 'gptq')
  if (needsText && run.data.length === 0)
    throw new UsageError(
      `--data: expected text to measure on with ${run.allocate ?? 'sensitivity'} and ${formats.quantizer}, got nothing`,
    )
  if (run.data.length === 0 && run.evalData.length > 0)
    throw new UsageError('--eval-data: expected --data with it, got it alone')
  const device = resolveDevice(run.device)
  const target = resolve(run.out)
  return {
    formats,
    device,
    dtype: loadDtype(run.dtype, config.dtype, device),
    journal: run.journal ?? join(dirname(target), `.${basename(target)}.quantize.jsonl`),
  }
}

function formatsOf(run: QuantizeRun): FormatOptions | null {
  const { bits, format, budgetBits, allocate, granularity, objective, evaluations, seed } = run
  const quantizer = run.quantizer ?? (run.data.length > 0 ? 'gptq' : 'rtn')
  const given = Object.entries({ '--bits': bits, '--format': format, '--budget-bits': budgetBits }).filter(
    ([, value]) => value !== undefined,
  )
  if (given.length !== 1)
    throw new UsageError(
      `--bits: expected one of --bits, --format and --budget-bits, got ${given.map(([name]) => name).join(' and ') || 'none'}`,
    )
  const common = { granularity, quantizer, objective, evaluations, seed }
  if (budgetBits !== undefined) {
    const formats = run.choose.length === 0 ? DEFAULTS.formats : run.choose.map(checkFormat)
    return { ...common, budgetBits, formats, allocate: allocationNamed(allocate ?? 'sensitivity') }
  }
  for (const [name, isGiven] of [
    ['--allocate', allocate !== undefined],
    ['--choose', run.choose.length > 0],
  ] as const)
    if (isGiven) throw new UsageError(`${name}: expected --budget-bits with it, got ${given[0]![0]}`)
  if (bits === '16') return null
  return { ...common, budgetBits: NO_LIMIT, formats: [format ?? BITS[bits!]], allocate: 'uniform' }
}

function checkFormat(name: string): QuantFormat {
  if (QUANT_FORMATS.includes(name as QuantFormat)) return name as QuantFormat
  throw new UsageError(`--choose: expected ${QUANT_FORMATS.join(' or ')}, got '${name}'`)
}

function checkTarget({ model, out }: QuantizeRun): void {
  checkOutputFolder(out, '--out')
  if (!existsSync(out)) return
  refuseSameDirectory(model, out)
  if (readdirSync(out).length > 0)
    throw new UsageError(`--out: expected a new or empty folder, got ${out} with files in it. Choose another one`)
}
