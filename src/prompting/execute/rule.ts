// A rule for texts, and how rules are asked: one after another, each within its time, and what fails refuses.

import { messageOf, UsageError } from '../../errors.ts'

/**
 * What a rule says of a text: nothing, and it passes; another text in its place; or why it does not pass, and what is to be said instead where
 * that is not what its guard says.
 */
export type Verdict = undefined | { rewrite: string } | { refuse: string; say?: string }

/** A rule for texts. */
export interface Rule {
  readonly name: string
  /** A rule that throws, or takes too long, refuses. */
  check(text: string, context?: { signal?: AbortSignal }): Verdict | Promise<Verdict>
  /** What is done where it refuses, in place of what its guard says. */
  readonly onRefuse?: 'refusal' | 'retry'
  /**
   * Characters before a new sentence that it sees with it, so that what goes over the ends of sentences is found: at least so many where
   * there are. Default 500. `Infinity` shows it the whole answer each time, whose cost grows with the square of the length.
   */
  readonly reach?: number
}

/** A rule of your own; a test that is true lets a text pass. */
export function rule(
  name: string,
  check: (text: string, context?: { signal?: AbortSignal }) => boolean | Verdict | Promise<boolean | Verdict>,
  options: Pick<Rule, 'onRefuse' | 'reach'> = {},
): Rule {
  return {
    name,
    ...options,
    check: async (text, context) => {
      const verdict = await check(text, context)
      if (verdict === true) return undefined
      return verdict === false ? { refuse: name } : verdict
    },
  }
}

/** UsageError where these are not rules: one that cannot be asked would refuse everything, as every rule that fails. */
export function checkRules(place: string, some: readonly Rule[]): void {
  if (!Array.isArray(some)) throw new UsageError(`${place}: expected a list of rules, got another value. Put it in [ ]`)
  for (const one of some as readonly unknown[]) {
    if (typeof (one as Rule | undefined)?.check === 'function') continue
    const advice =
      typeof one === 'function'
        ? `a function. Call it (rules.${one.name || 'noInjection'}()), or make a rule of a function of yours: rule(name, test)`
        : 'another value. rules.… and rule(name, test) make one'
    throw new UsageError(`${place}: expected rules, got ${advice}`)
  }
}

/** Which rule refused, and why. `isFault`: it did not come to a verdict. */
export interface Broken {
  rule: string
  why: string
  isFault?: boolean
  onRefuse?: 'refusal' | 'retry'
  /** What the rule wants said instead. */
  say?: string
}

/** The text that comes out of rules, or the rule that refuses it. */
export type Passed = { text: string } | { broken: Broken }

/** How rules are asked. */
export interface Asking {
  /** For each rule and text. */
  seconds: number
  signal?: AbortSignal | undefined
}

/** The text that comes out of all rules, one after another. */
export async function passed(text: string, rules: readonly Rule[], asking: Asking): Promise<Passed> {
  let now = text
  for (const one of rules) {
    const verdict = await verdictOf(one, now, asking)
    if (verdict === undefined) continue
    if ('broken' in verdict) return verdict
    if ('rewrite' in verdict) now = verdict.rewrite
    else
      return {
        broken: {
          rule: one.name,
          why: verdict.refuse,
          ...(one.onRefuse !== undefined && { onRefuse: one.onRefuse }),
          ...(typeof verdict.say === 'string' && { say: verdict.say }),
        },
      }
  }
  return { text: now }
}

async function verdictOf(one: Rule, text: string, { seconds, signal }: Asking): Promise<Verdict | { broken: Broken }> {
  signal?.throwIfAborted()
  const broken = (why: string): { broken: Broken } => ({ broken: { rule: one.name, why, isFault: true } })
  const late = new AbortController()
  const both = signal === undefined ? late.signal : AbortSignal.any([signal, late.signal])
  let stop = (): void => {}
  const timer = setTimeout(() => late.abort(new Error(`no verdict within ${seconds} s`)), seconds * 1000)
  try {
    const verdict = one.check(text, { signal: both })
    const until = new Promise<never>((_, reject) => {
      stop = () => reject(both.reason as Error)
      both.addEventListener('abort', stop, { once: true })
      if (both.aborted) stop()
    })
    const said = verdict instanceof Promise ? await Promise.race([verdict, until]) : verdict
    if (said === undefined || typeof (said as { refuse?: unknown }).refuse === 'string') return said
    if (typeof (said as { rewrite?: unknown }).rewrite === 'string') return said
    return broken(`expected nothing, { rewrite } or { refuse }, got ${JSON.stringify(said)}`)
  } catch (error) {
    signal?.throwIfAborted()
    return broken(messageOf(error))
  } finally {
    clearTimeout(timer)
    both.removeEventListener('abort', stop)
  }
}
