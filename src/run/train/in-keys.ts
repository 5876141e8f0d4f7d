// The library names its own options in its errors; whoever wrote a YAML file knows keys. This says one for the other.
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
    if (!(error instanceof UsageError)) throw error
    const [, option = '', rest = ''] = /^([\w.-]+)(:.*)$/s.exec(error.message) ?? []
    const key = Object.hasOwn(keys, option) ? keys[option] : undefined
    throw key === undefined ? error : new UsageError(`${key}${rest}`, { cause: error })
  }
}
