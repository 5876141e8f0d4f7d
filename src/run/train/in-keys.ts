// The library names its own options in its errors; whoever wrote a YAML file knows keys, and whoever typed a command `--options`. This
// says one for the other.
import { UsageError } from '../../errors.ts'

/**
 * Runs `body`; a UsageError that begins with an option of `keys` is thrown anew with the key in its place.
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

/** A UsageError that begins with an option of `keys`, with the key in its place; any other error as it is. */
export function saidInKeys(keys: Readonly<Record<string, string>>, error: unknown): unknown {
  if (!(error instanceof UsageError)) return error
  const [, option = '', rest = ''] = /^([\w.]+)(:.*)$/s.exec(error.message) ?? []
  const key = Object.hasOwn(keys, option) ? keys[option] : undefined
  return key === undefined ? error : new UsageError(`${key}${rest}`, { cause: error })
}
