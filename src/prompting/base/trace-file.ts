// Traces in files: a line of JSON about the program, then one for each call.

import { InputError } from '../../errors.ts'
import { writeFileAtomic } from '../../files/atomic-write.ts'
import { readBounded } from '../../files/bounded-read.ts'
import { checkOutputFile } from '../../files/output-file.ts'
import { parseJson } from '../../files/read-json.ts'
import { isAnswer, isFields, isListOf } from './is-answer.ts'
import type { Trace, TracedCall } from './traced-call.ts'

const VERSION = 1
const MOST_BYTES = 1 << 30

/** Writes a trace, whole or not at all. Keys of services are not in it: calls do not have them. */
export function saveTrace(file: string, { calls, ...about }: Trace): void {
  const { began, fault, isDry } = about
  saveLines(file, 'file', [{ anneal_trace: VERSION, began, fault, isDry }, ...calls])
}

/** Writes a file of JSON lines, whole or not at all; `option` is what errors call it. */
export function saveLines(file: string, option: string, lines: readonly object[]): void {
  checkOutputFile(file, option)
  writeFileAtomic(file, (sink) => {
    for (const line of lines) sink.write(`${JSON.stringify(line)}\n`)
  })
}

/** Reads a file of `trace`. InputError, with file and line, for what is none. */
export function readTrace(file: string): Trace {
  const lines = readBounded(file, MOST_BYTES).toString('utf8').split('\n')
  if (lines.at(-1) === '') lines.pop()
  const [head, ...calls] = lines.map((line, i) => parseJson(line, `${file}:${i + 1}`) as Record<string, unknown>)
  if (head?.anneal_trace !== VERSION || typeof head.began !== 'number')
    throw new InputError(`${file}: expected a trace of version ${VERSION}, got another file. Write one with trace()`)
  for (const [i, call] of calls.entries())
    if (!isCall(call, i))
      throw new InputError(`${file}:${i + 2}: expected call ${i} of a trace, got ${lines[i + 1]!.slice(0, 60)}`)
  const { began, fault, isDry } = head
  return {
    began,
    ...(typeof fault === 'string' && { fault }),
    ...(isDry === true && { isDry }),
    calls: calls.map(withScores),
  }
}

/** As far as anybody reads it. What a call refers to stands before it, so that nothing goes round. */
function isCall(call: unknown, i: number): boolean {
  if (!isFields(call) || call.id !== i || typeof call.model !== 'string' || !isFields(call.call)) return false
  const { path, at, took, notes, parent, again, answer, scores, fault, ids, setup, first, cost } = call
  const isBefore = (place: unknown): boolean =>
    Number.isInteger(place) && (place as number) >= 0 && (place as number) < i
  const isOptional = (value: unknown, is: (one: unknown) => boolean): boolean => value === undefined || is(value)
  return (
    isListOf(call.call.messages, (message) => isFields(message) && typeof message.role === 'string') &&
    isListOf(path, (name) => typeof name === 'string') &&
    [at, took].every(Number.isFinite) &&
    [first, cost].every((one) => isOptional(one, Number.isFinite)) &&
    [parent, again].every((one) => isOptional(one, isBefore)) &&
    isOptional(notes, (list) => isListOf(list, (note) => isFields(note) && typeof note.by === 'string')) &&
    isOptional(answer, isAnswer) &&
    [scores, setup].every((one) => isOptional(one, isFields)) &&
    isOptional(ids, (list) => isListOf(list, Number.isInteger)) &&
    isOptional(fault, (text) => typeof text === 'string')
  )
}

/** JSON has no infinity: a text that the service did not tell of has null there. */
function withScores(call: Record<string, unknown>): TracedCall {
  const traced = call as unknown as TracedCall
  if (traced.scores === undefined) return traced
  const scores = Object.entries(traced.scores).map(([text, score]) => [text, score ?? Number.NEGATIVE_INFINITY])
  return { ...traced, scores: Object.fromEntries(scores) as Record<string, number> }
}
