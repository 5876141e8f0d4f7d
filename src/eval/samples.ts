// A document with what was asked, answered and counted: one row of `samples_<task>_<date>.jsonl`, with lm-evaluation-harness's fields.

import { hashText } from '../files/hash.ts'
import { toValue } from '../text/jinja/convert.ts'
import { str } from '../text/jinja/print.ts'
import type { MetricValue } from './aggregate.ts'
import type { Answer } from './model.ts'
import type { EvalRequest } from './requests.ts'
import type { Target } from './task.ts'
import type { Annotations, Doc } from './task-config.ts'

/** A document's row. `scores` are its metrics. */
export interface Sample {
  doc_id: number
  doc: Doc
  target: Target
  /** What was asked: of choices context and continuation, of texts the text, of answers context and options. */
  arguments: readonly (readonly unknown[])[]
  /** For each request its answers: [sum, isGreedy], sum, or text. */
  resps: readonly (readonly unknown[])[]
  filtered_resps: readonly unknown[]
  /** Tokens of each continuation, where they are known. */
  tokens?: readonly number[]
  filter: string
  /** What the task's `annotate` found. */
  annotations?: Annotations
  scores: Readonly<Record<string, MetricValue>>
  /** There is no score, and why. */
  failed?: string
  /** How many answers are empty texts. */
  empty?: number
  /** Tokens left out at the beginning of the longest context. */
  truncated?: number
  /** Continuations whose first token belongs to the context. */
  joined?: number
}

/** What lm-eval names a request by. */
export function argumentsOf(request: EvalRequest): readonly unknown[] {
  if (request.kind === 'loglikelihood') return [request.context, request.continuation]
  return request.kind === 'loglikelihood_rolling' ? [request.text] : [request.context, request.generation]
}

/** What lm-eval calls the answer. */
export function responseOf({ sum, isGreedy, text }: Answer): unknown {
  if (text !== undefined) return text
  return isGreedy === undefined ? sum : [sum, isGreedy]
}

/** The row as it is written. Numbers of answers become texts, as there. */
export function sampleRow(sample: Sample): Record<string, unknown> {
  const { scores, failed, empty, truncated, joined, ...row } = sample
  const extras = {
    ...(failed && { failed }),
    ...(empty && { empty }),
    ...(truncated && { truncated }),
    ...(joined && { joined }),
  }
  return {
    ...row,
    target: pythonText(row.target),
    arguments: Object.fromEntries(
      row.arguments.map((list, i) => [
        `gen_args_${i}`,
        Object.fromEntries(list.map((value, j) => [`arg_${j}`, value])),
      ]),
    ),
    resps: asTexts(row.resps),
    filtered_resps: asTexts(row.filtered_resps),
    metrics: Object.keys(scores),
    ...hashesOf(sample),
    ...scores,
    ...extras,
  }
}

/** lm-eval's names of a document, its prompt and its target. */
export function hashesOf({ doc, arguments: asked, target }: Sample): {
  doc_hash: string
  prompt_hash: string
  target_hash: string
} {
  return {
    doc_hash: hashText(JSON.stringify(doc, null, 2)),
    prompt_hash: hashText(String(asked[0]?.[0] ?? '')),
    target_hash: hashText(pythonText(target)),
  }
}

const pythonText = (value: unknown): string => str(toValue(value))

function asTexts(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(asTexts)
  return typeof value === 'string' ? value : pythonText(value)
}

/** Reads a row that was written, ours or lm-eval's. */
export function parseSampleRow(row: Readonly<Record<string, unknown>>): Sample {
  const names = (row.metrics as readonly string[] | undefined) ?? []
  const asked = row.arguments as Readonly<Record<string, Readonly<Record<string, unknown>>>>
  const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [value])
  return {
    doc_id: Number(row.doc_id),
    doc: row.doc as Doc,
    target: row.target as Target,
    arguments: Array.isArray(asked) ? asked : Object.values(asked ?? {}).map((entry) => Object.values(entry)),
    resps: list(row.resps).map((answers) => list(answers).map(parsedAnswer)),
    filtered_resps: list(row.filtered_resps).map(parsedAnswer),
    filter: String(row.filter ?? 'none'),
    scores: Object.fromEntries(names.map((name) => [name, row[name] as MetricValue])),
    ...(typeof row.annotations === 'object' &&
      row.annotations !== null && { annotations: row.annotations as Annotations }),
    ...(Array.isArray(row.tokens) && { tokens: row.tokens as number[] }),
    ...(typeof row.failed === 'string' && { failed: row.failed }),
    ...(typeof row.empty === 'number' && { empty: row.empty }),
    ...(typeof row.truncated === 'number' && { truncated: row.truncated }),
    ...(typeof row.joined === 'number' && { joined: row.joined }),
  }
}

/** `["-1.5", "True"]` is a likelihood; everything else is an answer as it stands. */
function parsedAnswer(value: unknown): unknown {
  if (!Array.isArray(value) || value.length !== 2 || !['True', 'False', true, false].includes(value[1])) return value
  return [numberOf(value[0]), value[1] === 'True' || value[1] === true]
}

/** A number as Python prints it: `-inf` is one. */
export function numberOf(value: unknown): number {
  return value === '-inf' ? Number.NEGATIVE_INFINITY : value === 'inf' ? Number.POSITIVE_INFINITY : Number(value)
}
