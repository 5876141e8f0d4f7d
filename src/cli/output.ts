// Where a command writes. One rule for all of them: standard output carries results, and with `--json` nothing but
// JSON lines; everything meant for people goes to standard error. Text from models and files may hold terminal
// escapes: everything that is written here is made printable first, and gets its colours after that.

import { printable } from '../printable.ts'
import { type Look, type Paint, paintFor, paintLine } from './colour.ts'

/** The part of a stream that we write to; tests pass their own. */
export interface TextStream {
  write(text: string): unknown
  isTTY?: boolean
  columns?: number
}

export interface Output {
  readonly isJson: boolean
  readonly stdout: TextStream
  readonly stderr: TextStream
  /** Colours of standard error, for text that is printable already. */
  readonly paint: Paint
  /** Colours of standard output. */
  readonly paintResult: Paint
  /** A line for people, on standard error. */
  note(line: string, look?: Look): void
  /** A result as text, on standard output; nothing with `--json`. */
  result(text: string): void
  /** One JSON line on standard output; nothing without `--json`. */
  emit(value: object): void
}

/** Makes an output; without arguments it is the process's own streams. */
export function createOutput(
  isJson: boolean,
  stdout: TextStream = process.stdout,
  stderr: TextStream = process.stderr,
  environment: NodeJS.ProcessEnv = process.env,
): Output {
  const paint = paintFor(stderr, environment)
  const shown = (line: string, look?: Look): string =>
    look === undefined ? paintLine(paint, printable(line)) : paint(look, printable(line))
  return {
    isJson,
    stdout,
    stderr,
    paint,
    paintResult: paintFor(stdout, environment),
    note: (line, look) => void stderr.write(`${shown(line, look)}\n`),
    result: (text) => void (isJson || stdout.write(printable(text.endsWith('\n') ? text : `${text}\n`))),
    emit: (value) => void (isJson && stdout.write(`${JSON.stringify(value, jsonValue)}\n`)),
  }
}

// What JSON cannot say: integers beyond 2^53 become text, so that no digit is lost; an error becomes its message.
function jsonValue(_key: string, value: unknown): unknown {
  if (value instanceof Error) return value.message
  return typeof value === 'bigint' ? value.toString() : value
}
