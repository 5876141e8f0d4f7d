// Names of options that nobody reads: a program that runs without a type checker hears of them, too.
import { UsageError } from './errors.ts'
import { didYouMean } from './nearest.ts'

/**
 * UsageError where `given` has a key that `known` has not, with the one that may be meant: what `elsewhere` says that other programs call
 * by it, or the nearest. `what` says whose options they are.
 */
export function checkOptionNames(
  what: string,
  given: object,
  known: Readonly<Record<string, true>>,
  elsewhere: Readonly<Record<string, string>> = {},
): void {
  for (const name of Object.keys(given)) {
    if (Object.hasOwn(known, name)) continue
    const same = Object.hasOwn(elsewhere, name) ? ` It is called '${elsewhere[name]}' here` : undefined
    const meant = same ?? (didYouMean(name, Object.keys(known)) || ` There are ${Object.keys(known).join(', ')}`)
    throw new UsageError(`${what}: expected options that it has, got '${name}'.${meant}`)
  }
}
