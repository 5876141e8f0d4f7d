// The books of a curation: what came into every step, what left it, and why the rest did not. They balance or the run stops.

import type { BadReason } from '../read/quarantine.ts'

/** The steps in their order. */
export const STEPS = [
  'read',
  'normalise',
  'source',
  'language',
  'quality',
  'pii',
  'exact',
  'near',
  'contamination',
] as const

/** A step by its name. */
export type Step = (typeof STEPS)[number]

/** Documents, their words, and the UTF-8 bytes of their texts. */
export interface Amount {
  documents: number
  words: number
  bytes: number
}

/** What a step did with the documents of one source. */
export interface StepAccount {
  in: Amount
  out: Amount
  dropped: Record<string, Amount>
}

/** Why a page is in quarantine on which nothing is to be read, such as a menu: it is not damaged. */
export const NO_ARTICLE: BadReason = 'no-article'

/** The account of one source: records read, those that could not be, and step by step. */
export interface SourceAccount {
  /** Records met: documents, and bad lines or rows. */
  records: number
  recordBytes: number
  quarantined: Record<string, number>
  /** Of what is damaged. */
  quarantinedBytes: number
  steps: Partial<Record<Step, StepAccount>>
  /** What was changed in documents that stayed: masks by kind, lines that went. */
  changed: Record<string, number>
}

/** All accounts, by source. */
export class Ledger {
  readonly sources: Record<string, SourceAccount>

  constructor(sources: Record<string, SourceAccount> = {}) {
    this.sources = sources
  }

  source(name: string): SourceAccount {
    this.sources[name] ??= {
      records: 0,
      recordBytes: 0,
      quarantined: {},
      quarantinedBytes: 0,
      steps: {},
      changed: {},
    }
    return this.sources[name]
  }

  /** A record that could not be read. */
  quarantine(source: string, reason: string, bytes: number): void {
    const account = this.source(source)
    account.records++
    account.recordBytes += bytes
    account.quarantined[reason] = (account.quarantined[reason] ?? 0) + 1
    if (reason !== NO_ARTICLE) account.quarantinedBytes += bytes
  }

  /** A record that became a document. */
  read(source: string, recordBytes: number): void {
    const account = this.source(source)
    account.records++
    account.recordBytes += recordBytes
  }

  enter(source: string, step: Step, words: number, bytes: number): void {
    addTo(this.step(source, step).in, words, bytes)
  }

  pass(source: string, step: Step, words: number, bytes: number): void {
    addTo(this.step(source, step).out, words, bytes)
  }

  drop(source: string, step: Step, reason: string, words: number, bytes: number): void {
    const { dropped } = this.step(source, step)
    dropped[reason] ??= none()
    addTo(dropped[reason], words, bytes)
  }

  change(source: string, what: string, count: number): void {
    const { changed } = this.source(source)
    changed[what] = (changed[what] ?? 0) + count
  }

  /** Adds another's accounts to these. */
  add({ sources }: Ledger): void {
    for (const [name, from] of Object.entries(sources)) {
      const to = this.source(name)
      to.records += from.records
      to.recordBytes += from.recordBytes
      to.quarantinedBytes += from.quarantinedBytes
      for (const [reason, count] of Object.entries(from.quarantined))
        to.quarantined[reason] = (to.quarantined[reason] ?? 0) + count
      for (const [what, count] of Object.entries(from.changed)) to.changed[what] = (to.changed[what] ?? 0) + count
      for (const [step, account] of Object.entries(from.steps) as [Step, StepAccount][]) {
        const own = this.step(name, step)
        sum(own.in, account.in)
        sum(own.out, account.out)
        for (const [reason, amount] of Object.entries(account.dropped)) {
          own.dropped[reason] ??= none()
          sum(own.dropped[reason], amount)
        }
      }
    }
  }

  /**
   * Throws where the books do not balance: records = documents + quarantined, in = out + dropped in every step, and what leaves a
   * step comes into the next. A fault of the program, never of the data.
   */
  check(): void {
    for (const [name, { records, quarantined, steps }] of Object.entries(this.sources)) {
      const bad = Object.values(quarantined).reduce((total, count) => total + count, 0)
      let before = records - bad
      for (const step of STEPS) {
        const account = steps[step]
        if (account === undefined) continue
        const dropped = Object.values(account.dropped).reduce((total, { documents }) => total + documents, 0)
        if (account.in.documents !== before || account.in.documents !== account.out.documents + dropped) {
          throw new Error(
            `ledger of ${name} at ${step}: ${before} documents came, ${account.in.documents} were counted in, ` +
              `${account.out.documents} out and ${dropped} dropped`,
          )
        }
        before = account.out.documents
      }
    }
  }

  /** What is left of a source, or of all. */
  kept(name?: string): Amount {
    const total = none()
    for (const [source, { steps }] of Object.entries(this.sources)) {
      const last = STEPS.filter((step) => steps[step] !== undefined).at(-1)
      if ((name === undefined || source === name) && last !== undefined) sum(total, steps[last]!.out)
    }
    return total
  }

  /** What was read of a source, or of all, bad records left out. */
  readIn(name?: string): Amount {
    const total = none()
    for (const [source, { steps }] of Object.entries(this.sources))
      if (name === undefined || source === name) sum(total, steps.read?.out ?? none())
    return total
  }

  /** All sources together. */
  total(): SourceAccount {
    const all = new Ledger()
    for (const account of Object.values(this.sources)) all.add(new Ledger({ all: account }))
    return all.source('all')
  }

  private step(source: string, step: Step): StepAccount {
    const { steps } = this.source(source)
    steps[step] ??= { in: none(), out: none(), dropped: {} }
    return steps[step]
  }
}

function none(): Amount {
  return { documents: 0, words: 0, bytes: 0 }
}

function addTo(amount: Amount, words: number, bytes: number): void {
  amount.documents++
  amount.words += words
  amount.bytes += bytes
}

function sum(to: Amount, from: Amount): void {
  to.documents += from.documents
  to.words += from.words
  to.bytes += from.bytes
}
