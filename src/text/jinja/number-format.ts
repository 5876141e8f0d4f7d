// Numbers in the presentations that `%`-formats and format specs share: d, x, o, b, e, f, g, with `#` and a precision.

import { checkLength } from './budget.ts'
import { valueError } from './errors.ts'
import { fixedDigits, type Int, significantDigits } from './numbers.ts'

/** The digits of a number without a sign; the sign is `isNegative`. */
export interface Magnitude {
  readonly isNegative: boolean
  readonly prefix: string
  readonly digits: string
}

/** A whole number in base 2, 8, 10 or 16. */
export function formatInteger(value: Int, type: string, isAlternate: boolean): Magnitude {
  const base = { x: 16, X: 16, o: 8, b: 2 }[type] ?? 10
  const text = value.toString(base)
  const isNegative = text.startsWith('-')
  const digits = isNegative ? text.slice(1) : text
  const prefix = isAlternate && base !== 10 ? `0${type}` : ''
  return { isNegative, prefix, digits: type === 'X' ? digits.toUpperCase() : digits }
}

/** A float in presentation e, f or g; undefined `precision` means 6. */
export function formatDouble(
  value: number,
  type: string,
  precision: number | undefined,
  isAlternate: boolean,
): Magnitude {
  const isNegative = value < 0 || Object.is(value, -0)
  const places = precision ?? 6
  if (places > 1000) throw valueError('precision too big')
  checkLength(places)
  const isUpper = type === type.toUpperCase()
  const cased = (text: string): string => (isUpper ? text.toUpperCase() : text)
  const magnitude = Math.abs(value)
  if (!Number.isFinite(value)) {
    return { isNegative: value < 0, prefix: '', digits: cased(Number.isNaN(value) ? 'nan' : 'inf') }
  }
  const lower = type.toLowerCase()
  let digits: string
  if (lower === 'f') digits = fixedDigits(magnitude, places)
  else if (lower === 'e') digits = scientific(magnitude, places)
  else digits = general(magnitude, Math.max(1, places), isAlternate)
  if (isAlternate && !digits.includes('.')) digits = digits.replace(/(?=e|$)/, '.')
  return { isNegative, prefix: '', digits: cased(digits) }
}

/** One digit, a point, `places` digits and an exponent of at least two digits. */
function scientific(magnitude: number, places: number): string {
  const { digits, exponent } = significantDigits(magnitude, places + 1)
  const mantissa = places === 0 ? digits : `${digits[0]}.${digits.slice(1)}`
  return `${mantissa}e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`
}

/** `figures` digits in whichever of the two forms is shorter, without zeros at the end. */
function general(magnitude: number, figures: number, keepsZeros: boolean): string {
  const { exponent } = significantDigits(magnitude, figures)
  const isFixed = exponent >= -4 && exponent < figures
  const [mantissa, power] = isFixed
    ? [fixedDigits(magnitude, figures - 1 - exponent), undefined]
    : (scientific(magnitude, figures - 1).split('e') as [string, string])
  const short = keepsZeros || !mantissa.includes('.') ? mantissa : mantissa.replace(/\.?0+$/, '')
  return power === undefined ? short : `${short}e${power}`
}
