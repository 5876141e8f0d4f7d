// The library names its own options in its errors; whoever wrote a YAML file knows keys, and whoever typed a command `--options`. This
// says one for the other. In an error an option stands at the beginning, before a colon, or in `backticks`.
import { UsageError } from '../../errors.ts'

/**
 * Runs `body`; a UsageError that names options of `keys` is thrown anew with the keys in their place.
 *
 * @example
 * inKeys({ labelSmoothing: 'label_smoothing' }, () => dpo({ labelSmoothing: 2 })) // label_smoothing: expected …
 */
export function inKeys<T>(keys: Readonly<Record<string, string>>, body: () => T): T {
  try {
    return body()
  } catch (error) {
    throw saidInKeys(keys, error)
  }
}

/** A UsageError that names options of `keys`, with the keys in their place; any other error as it is. */
export function saidInKeys(keys: Readonly<Record<string, string>>, error: unknown): unknown {
  if (!(error instanceof UsageError)) return error
  const said = error.message.replace(/^([\w.]+)(?=:)|`([\w.]+)`/g, (whole, first?: string, marked?: string) => {
    const option = first ?? marked!
    return Object.hasOwn(keys, option) ? keys[option]! : whole
  })
  return said === error.message ? error : new UsageError(said, { cause: error })
}
