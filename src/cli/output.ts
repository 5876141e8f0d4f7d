// Where a command writes. One rule for all of them: standard output carries results, and with `--json` nothing but
// JSON lines; everything meant for people goes to standard error. Text from models and files may hold terminal
// escapes, so it goes through `printable` first.

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
  /** A line for people, on standard error. */
  note(line: string): void
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
): Output {
  return {
    isJson,
    stdout,
    stderr,
    note: (line) => void stderr.write(`${line}\n`),
    result: (text) => void (isJson || stdout.write(text.endsWith('\n') ? text : `${text}\n`)),
    emit: (value) => void (isJson && stdout.write(`${JSON.stringify(value, jsonValue)}\n`)),
  }
}

/** Text that a terminal shows and does not obey: control characters become `�`, except new line and tab. */
export function printable(text: string): string {
  return text.toWellFormed().replaceAll(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, '�')
}

// What JSON cannot say: integers beyond 2^53 become text, so that no digit is lost; an error becomes its message.
function jsonValue(_key: string, value: unknown): unknown {
  if (value instanceof Error) return value.message
  return typeof value === 'bigint' ? value.toString() : value
}
