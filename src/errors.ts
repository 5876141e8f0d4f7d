// Every error class of Anneal and the exit code that the command line gives for it.
// Each message is one line: `<what> in <file>:<field or offset>: expected X, got Y. <what to do>`.

import { printable } from './printable.ts'
import { describeSystemError, exitCodeOfSystemError } from './system-error.ts'

/** Base of all errors that Anneal throws on purpose. `exitCode` is what the CLI exits with. */
export class AnnealError extends Error {
  readonly exitCode: number = 1
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = new.target.name
  }
}

/** The command line or an option is wrong: unknown flag, value out of range. Exit 2. */
export class UsageError extends AnnealError {
  override readonly exitCode = 2
}

/** A configuration (YAML or object) is wrong. `location` is `file:line:column` where known; `others` names further faults. Exit 2. */
export class ConfigError extends AnnealError {
  override readonly exitCode = 2
  readonly location: string | undefined
  constructor(message: string, location?: string, options?: ErrorOptions, others = '') {
    super((location === undefined ? message : `${message} (${location})`) + others, options)
    this.location = location
  }
}

/** A file from outside (data, weights, tokenizer, template) is malformed, hostile or too large. Exit 3. */
export class InputError extends AnnealError {
  override readonly exitCode = 3
}

/** A tokenizer file, or a text that a tokenizer cannot take. Exit 3. */
export class TokenizerError extends InputError {}

/** A model or file asks for something that Anneal does not do, and says so instead of ignoring it. Exit 3. */
export class UnsupportedError extends InputError {}

/** A checkpoint is incomplete or damaged. Exit 4. */
export class CheckpointError extends AnnealError {
  override readonly exitCode = 4
}

/** A loss or gradient became NaN or infinite. Exit 5. */
export class NonFiniteError extends AnnealError {
  override readonly exitCode = 5
}

/** No space left, or a file-size limit was hit. Exit 6. */
export class DiskFullError extends AnnealError {
  override readonly exitCode = 6
}

/** The device or host could not give the memory asked for; the process stays usable. Exit 7. */
export class OutOfMemoryError extends AnnealError {
  override readonly exitCode = 7
}

/** The hub, or the way to it: it cannot be reached, refuses, does not know what is asked for, or answers with something else. Exit 8. */
export class HubError extends AnnealError {
  override readonly exitCode = 8
  /** Status of the answer; undefined where there was none. */
  readonly status: number | undefined
  /** The hub's own word for the fault, such as `RepoNotFound` or `GatedRepo`; '' where it has none. */
  readonly code: string
  constructor(
    message: string,
    { status, code = '', ...options }: ErrorOptions & { status?: number; code?: string } = {},
  ) {
    super(message, options)
    this.status = status
    this.code = code
  }
}

/** LibTorch refused an operation. Carries the operator's name and the shapes of its tensor arguments. */
export class NativeError extends AnnealError {
  readonly op: string
  readonly shapes: readonly string[]
  constructor(op: string, shapes: readonly string[], message: string, options?: ErrorOptions) {
    super(`${op}(${shapes.join(', ')}): ${message}`, options)
    this.op = op
    this.shapes = shapes
  }
}

/** The native add-on or LibTorch is missing or cannot be loaded. Run `anneal doctor`. */
export class EngineMissingError extends AnnealError {}

/** True for errors of the operating system with this code, such as `ENOSPC`. */
export function hasCode(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && codes.includes((error as NodeJS.ErrnoException).code ?? '')
}

/** The one line that users see for an error of any kind. */
export function describeError(error: unknown): string {
  return `error: ${printable(
    messageOf(error)
      .trimEnd()
      .replace(/\s*\n\s*/g, ' '),
  )}`
}

/** What an error says; of one of the operating system, in words. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return describeSystemError(error) ?? error.message
}

/** The exit code for an error of any kind; unknown errors are internal (1). */
export function exitCodeOf(error: unknown): number {
  if (error instanceof AnnealError) return error.exitCode
  return exitCodeOfSystemError(error) ?? 1
}
