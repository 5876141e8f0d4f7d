// A trace in the forms of others.

import { UsageError } from '../../errors.ts'
import { type OtlpOptions, type OtlpTraces, otlpTraces } from './otlp.ts'
import type { Trace } from './traced-call.ts'
import { type DpoRow, dpoRows, type SftRow, sftRows } from './training-rows.ts'

/**
 * A trace as rows to train on, or as spans: `sft` gives what was asked with the answers that were taken, `dpo` pairs of an answer that was
 * taken and one that was refused, `otlp` an object for a collector's `/v1/traces`, named after OpenTelemetry's conventions.
 *
 * @example
 * const rows = exportTrace(readTrace('headline.jsonl'), 'sft')
 */
export function exportTrace(trace: Trace, form: 'sft'): SftRow[]
export function exportTrace(trace: Trace, form: 'dpo'): DpoRow[]
export function exportTrace(trace: Trace, form: 'otlp', options?: OtlpOptions): OtlpTraces
export function exportTrace(
  trace: Trace,
  form: 'sft' | 'dpo' | 'otlp',
  options?: OtlpOptions,
): SftRow[] | DpoRow[] | OtlpTraces {
  if (form === 'sft') return sftRows(trace)
  if (form === 'dpo') return dpoRows(trace)
  if (form === 'otlp') return otlpTraces(trace, options)
  throw new UsageError(`exportTrace: expected sft, dpo or otlp, got ${JSON.stringify(form)}`)
}
