// Quantization as a run: matrices in fewer bits, all alike or by what each layer can bear within a budget.
import { UsageError } from '../../errors.ts'
import { DEFAULTS, impossibleBudget, type Quantizer } from '../../methods/quantize/choices.ts'
import { summariseFormats } from '../../methods/quantize/figures.ts'
import { applyFormats, chooseFormats, type FormatOptions } from '../../methods/quantize/quantize.ts'
import { QUANT_FORMATS, type QuantFormat } from '../../nn/quant/format.ts'
import { renderReport } from '../../report/report.ts'
import type { Tell, WorkEvent } from '../../work.ts'
import {
  type EditMethod,
  type EditOptions,
  type EditResult,
  type EditSubject,
  editModel,
  needText,
  refuseQuantized,
} from '../edit/edit-model.ts'
import { otherBytes } from '../edit/measure-model.ts'
import { summaryLines } from '../edit/summary.ts'
import { pageFooter } from '../page-footer.ts'
import { allocationNamed } from './allocation.ts'
import type { AllocationName } from './allocation-names.ts'
import { formatLines, type QuantizeSummary, quantizeReport, quantizeSummary } from './quantize-report.ts'

/** What is quantized under which budget, on which text, and where it goes. */
export interface RunQuantizeOptions
  extends EditOptions,
    Omit<FormatOptions, 'budgetBits' | 'allocate' | 'formats' | 'seed'> {
  /** The same for every matrix: nf2, nf3, nf4, int8; 16 leaves them as they are. Or `format`, or `budgetBits`. */
  bits?: 2 | 3 | 4 | 8 | 16 | undefined
  format?: QuantFormat | undefined
  /** Most bits per weight on average, scales included: formats are then chosen. */
  budgetBits?: number | undefined
  /** How they are chosen. Default `sensitivity`. */
  allocate?: AllocationName | undefined
  /** To choose from. Default nf2, nf3, nf4, int8. */
  formats?: readonly QuantFormat[]
  /** Default `gptq` with text, else `rtn`. */
  quantizer?: Quantizer
}

/** What 16 bits give: nothing changes. */
export interface Unchanged {
  bits: 16
}

const BITS = { 2: 'nf2', 3: 'nf3', 4: 'nf4', 8: 'int8' } as const
/** More than any format takes. */
const NO_LIMIT = 64

/**
 * Chooses formats, then writes the quantized model with a page of bits and loss. Stopped, it keeps its journal and goes on from there.
 *
 * @example
 * const { bits } = await resultOf(runQuantize({ model: 'models/base', bits: 4, out: 'models/4-bit' }))
 */
export function runQuantize(
  options: RunQuantizeOptions,
  watch: { signal?: AbortSignal | undefined } = {},
): AsyncGenerator<WorkEvent, EditResult<QuantizeSummary | Unchanged>> {
  const formats = formatsOf(options)
  return editModel<QuantizeSummary | Unchanged>(
    formats === null ? unchanged(options) : methodOf(options, formats),
    options,
    watch,
  )
}

function unchanged(options: RunQuantizeOptions): EditMethod<Unchanged> {
  return {
    name: 'quantize',
    journal: null,
    check: (subject) => refuseQuantized(subject, 'quantize'),
    apply: async ({ source }) => ({
      record: { pass: 'quantize', options: { bits: 16 }, report: {} },
      figures: { bits: 16 },
      lines: ['16 bits: every matrix stays as it is'],
      page: renderReport({
        title: 'Quantization',
        about: [new Date().toISOString().slice(0, 10)],
        subtitle: `${source.name}, 16 bits: as ${options.model} is`,
        sections: [],
        footer: pageFooter(),
      }),
    }),
  }
}

function methodOf(options: RunQuantizeOptions, formats: FormatOptions): EditMethod<QuantizeSummary> {
  const { quantizer, granularity, objective } = formats
  const isPlain = options.budgetBits === undefined
  return {
    name: 'quantize',
    // The search's own options are not among these: another budget reads the same measurements.
    journal: { quantizer: quantizer!, granularity: granularity!, formats: formats.formats!.join() },
    check: (subject) => check(subject, options, formats),
    apply: async ({ model, source }, { calibration }, watch) => {
      // One format for all is not searched for.
      const tell: Tell = (event) => {
        if (!isPlain || (event.type === 'progress' && event.label !== 'searching')) watch.tell?.(event)
      }
      const chosen = await chooseFormats(model, calibration, formats, { ...watch, tell })
      const found = summariseFormats(chosen.bank, chosen.allocation)
      const record = applyFormats(model, chosen, formats)
      const figures: QuantizeSummary = { ...found, other_bytes: otherBytes(model) }
      // One format for all has no budget, and nothing was searched.
      const { budgetBits, allocate, objective: _, evaluations, ...plainOptions } = record.options
      const { budget, ...plainReport } = record.report
      return {
        record: isPlain ? { ...record, options: plainOptions, report: plainReport } : record,
        figures,
        lines: [...formatLines(figures), ...summaryLines(quantizeSummary(figures))],
        page: quantizeReport(source.name, figures, objective!),
        files: { 'quantize.json': `${JSON.stringify(figures, null, 2)}\n` },
      }
    },
  }
}

function check(subject: EditSubject, { allocate }: RunQuantizeOptions, formats: FormatOptions): void {
  refuseQuantized(subject, 'quantize')
  if (formats.allocate !== 'uniform' || formats.quantizer === 'gptq')
    needText(subject, `${allocate ?? 'sensitivity'} and ${formats.quantizer}`)
}

function formatsOf(options: RunQuantizeOptions): FormatOptions | null {
  const { bits, format, budgetBits, allocate, data = [], seed = 0, formats = [] } = options
  const {
    granularity = DEFAULTS.granularity,
    objective = DEFAULTS.objective,
    evaluations = DEFAULTS.evaluations,
  } = options
  const quantizer = options.quantizer ?? (data.length > 0 ? 'gptq' : 'rtn')
  const given = Object.entries({ bits, format, budgetBits }).filter(([, value]) => value !== undefined)
  if (given.length !== 1)
    throw new UsageError(
      `bits: expected one of \`bits\`, \`format\` and \`budgetBits\`, got ${given.map(([name]) => `\`${name}\``).join(' and ') || 'none'}`,
    )
  const common = { granularity, quantizer, objective, evaluations, seed }
  if (budgetBits !== undefined) {
    const choices = formats.length === 0 ? DEFAULTS.formats : formats.map(checkFormat)
    const problem = impossibleBudget(budgetBits, choices)
    if (problem !== undefined) throw new UsageError(`budgetBits: ${problem}`)
    return { ...common, budgetBits, formats: choices, allocate: allocationNamed(allocate ?? 'sensitivity') }
  }
  for (const [name, isGiven] of [
    ['allocate', allocate !== undefined],
    ['formats', formats.length > 0],
  ] as const)
    if (isGiven) throw new UsageError(`${name}: expected \`budgetBits\` with it, got \`${given[0]![0]}\``)
  if (bits === 16) return null
  return { ...common, budgetBits: NO_LIMIT, formats: [format ?? BITS[bits!]], allocate: 'uniform' }
}

function checkFormat(name: QuantFormat): QuantFormat {
  if (QUANT_FORMATS.includes(name)) return name
  throw new UsageError(`formats: expected ${QUANT_FORMATS.join(' or ')}, got '${name}'`)
}
