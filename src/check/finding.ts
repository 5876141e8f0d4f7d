// What `anneal check` says: findings, each with its place and the programs that it concerns.

import { hasCode, InputError, UnsupportedError } from '../errors.ts'

/** Programs whose rules differ from ours. */
export const CONSUMERS = ['transformers', 'peft', 'vllm', 'llama.cpp'] as const

/** A program that is to read the files, by name. */
export type Consumer = (typeof CONSUMERS)[number]

/** `error`: it will not load or will compute something else; `warning`: it may; `notice`: worth knowing. */
export type Severity = 'error' | 'warning' | 'notice'

/** One line for the user. */
export interface Finding {
  readonly severity: Severity
  /** `file:field`. */
  readonly where: string
  /** What is so, and what to do. */
  readonly message: string
  /** Programs that it is about; empty: about all. */
  readonly for: readonly Consumer[]
}

/** Collects findings in the order in which they are made. */
export class Findings {
  readonly all: Finding[] = []
  /** Whether the values of weights are not there to be looked at. */
  readonly headersOnly: boolean
  /** Whether the base of an adapter is known to be there, and is not looked for on this machine. */
  readonly isBaseThere: boolean

  constructor({ headersOnly = false, isBaseThere = false }: { headersOnly?: boolean; isBaseThere?: boolean } = {}) {
    this.headersOnly = headersOnly
    this.isBaseThere = isBaseThere
  }

  error(where: string, message: string, ...consumers: Consumer[]): void {
    this.all.push({ severity: 'error', where, message, for: consumers })
  }
  warning(where: string, message: string, ...consumers: Consumer[]): void {
    this.all.push({ severity: 'warning', where, message, for: consumers })
  }
  notice(where: string, message: string, ...consumers: Consumer[]): void {
    this.all.push({ severity: 'notice', where, message, for: consumers })
  }

  /** Runs `read` and makes an error of a bad file, a warning of one that Anneal does not support; undefined then. */
  attempt<T>(where: string, read: () => T): T | undefined {
    try {
      return read()
    } catch (error) {
      if (!(error instanceof InputError || hasCode(error, 'ENOENT', 'EACCES', 'EISDIR', 'ENOTDIR'))) throw error
      const { message } = error as Error
      if (error instanceof UnsupportedError)
        this.warning(where, `Anneal does not run this, and checks less of it: ${message}`)
      else this.error(where, message)
      return undefined
    }
  }
}

/** The findings for one program; without one, what only some programs object to is a notice that names them. */
export function findingsFor(findings: readonly Finding[], consumer: Consumer | undefined): Finding[] {
  if (consumer !== undefined) {
    return findings.filter((finding) => finding.for.length === 0 || finding.for.includes(consumer))
  }
  return findings.map((finding) =>
    finding.for.length === 0
      ? finding
      : { ...finding, severity: 'notice', message: `for ${finding.for.join(', ')}: ${finding.message}` },
  )
}
