// Numbers of JSON within bounds, as expressions over their digits. Unbounded ones have at most 15 digits before the point, so that every
// reader has the number that was written, and none can go on for ever.

import { byteSet } from '../byte-set.ts'
import type { Expression } from '../expression-table.ts'
import type { Expressions } from '../expressions.ts'

/** Bounds; `isMinOpen`, `isMaxOpen`: the bound itself is left out. */
export interface NumberBounds {
  min?: number
  isMinOpen?: boolean
  max?: number
  isMaxOpen?: boolean
}

interface Bound {
  at: number
  isOpen: boolean
}

/** Digits of a number without bounds: fewer than 2⁵³ has. */
const DIGITS = 15
const FRACTION = 15

export class JsonNumbers {
  readonly #x: Expressions
  readonly #digit: Expression

  constructor(expressions: Expressions) {
    this.#x = expressions
    this.#digit = this.#digits(0, 9)
  }

  /** Whole numbers, both bounds included. */
  integer({ min, isMinOpen = false, max, isMaxOpen = false }: NumberBounds = {}): Expression {
    const low = min === undefined ? undefined : isMinOpen ? nextWhole(min) : Math.ceil(min)
    const high = max === undefined ? undefined : isMaxOpen ? -nextWhole(-max) : Math.floor(max)
    return this.#x.or(
      this.#wholes(Math.max(low ?? 0, 0), high),
      low === undefined || low < 0
        ? this.#negative(this.#wholes(Math.max(-(high ?? -1), 1), low === undefined ? undefined : -low))
        : this.#x.none,
    )
  }

  /** Numbers with a fraction; with an exponent where nothing bounds them. */
  number(bounds: NumberBounds = {}): Expression {
    const { min, max, isMinOpen = false, isMaxOpen = false } = bounds
    if (min === undefined && max === undefined) {
      const sign = this.#x.optional(this.#text('-'))
      const fraction = this.#x.optional(this.#x.seq(this.#text('.'), this.#x.repeat(this.#digit, 1, FRACTION)))
      const exponent = this.#x.seq(
        this.#x.bytes(
          byteSet([
            [0x45, 0x45],
            [0x65, 0x65],
          ]),
        ),
        this.#x.optional(
          this.#x.bytes(
            byteSet([
              [0x2b, 0x2b],
              [0x2d, 0x2d],
            ]),
          ),
        ),
        this.#x.repeat(this.#digit, 1, 2),
      )
      return this.#x.seq(sign, this.#wholes(0, undefined), fraction, this.#x.optional(exponent))
    }
    const least = min === undefined ? undefined : { at: min, isOpen: isMinOpen }
    const most = max === undefined ? undefined : { at: max, isOpen: isMaxOpen }
    const mirrored = (bound: Bound | undefined): Bound | undefined => bound && { at: -bound.at, isOpen: bound.isOpen }
    const options: Expression[] = []
    if (most === undefined || most.at >= 0)
      options.push(this.#decimals(least === undefined || least.at < 0 ? { at: 0, isOpen: false } : least, most))
    if (least === undefined || least.at < 0)
      options.push(
        this.#negative(
          this.#decimals(
            most === undefined || most.at >= 0 ? { at: 0, isOpen: true } : mirrored(most)!,
            mirrored(least),
          ),
        ),
      )
    return this.#x.or(...options)
  }

  #negative(positive: Expression): Expression {
    return this.#x.seq(this.#text('-'), positive)
  }

  /** Decimals ≥ 0 between two bounds. */
  #decimals(low: Bound, high: Bound | undefined): Expression {
    if (high !== undefined && (high.at < low.at || (high.at === low.at && (high.isOpen || low.isOpen))))
      return this.#x.none
    const [lowWhole, lowPart] = decimal(low.at)
    // Readers round: a number of more than 15 digits may become the bound that it may not be.
    const places = (whole: number): number =>
      low.isOpen || high?.isOpen ? Math.max(FRACTION - (whole === 0 ? 0 : spelt(whole).length), 0) : FRACTION
    const above = this.#fraction(
      (digits) => this.#atLeast(digits, low.isOpen),
      lowPart,
      lowPart === '' && !low.isOpen,
      places(lowWhole),
    )
    if (high === undefined)
      return this.#x.or(
        this.#x.seq(this.#text(spelt(lowWhole)), above),
        this.#x.seq(this.#wholes(nextWhole(lowWhole), undefined), this.#anyFraction(FRACTION)),
      )
    const [highWhole, highPart] = decimal(high.at)
    const below = this.#fraction(
      (digits) => this.#atMost(digits, high.isOpen),
      highPart,
      highPart !== '' || !high.isOpen,
      places(highWhole),
    )
    if (lowWhole === highWhole) return this.#x.seq(this.#text(spelt(lowWhole)), this.#x.and(above, below))
    return this.#x.or(
      this.#x.seq(this.#text(spelt(lowWhole)), above),
      this.#x.seq(this.#wholes(nextWhole(lowWhole), -nextWhole(-highWhole)), this.#anyFraction(places(highWhole))),
      this.#x.seq(this.#text(spelt(highWhole)), below),
    )
  }

  #anyFraction(places: number): Expression {
    return this.#x.optional(this.#x.seq(this.#text('.'), this.#x.repeat(this.#digit, 1, places)))
  }

  /** A fraction whose digits hold; `isNoneGood`: there need not be one. */
  #fraction(hold: (digits: string) => Expression, digits: string, isNoneGood: boolean, places: number): Expression {
    const written = this.#x.and(hold(digits), this.#x.repeat(this.#digit, 1, places))
    const made = this.#x.seq(this.#text('.'), written)
    return isNoneGood ? this.#x.optional(made) : made
  }

  /** Digits behind the point that are not below these. */
  #atLeast(digits: string, isOpen: boolean): Expression {
    const any = this.#x.repeat(this.#digit, 0)
    if (digits === '') return isOpen ? this.#x.seq(this.#x.repeat(this.#text('0'), 0), this.#digits(1, 9), any) : any
    const first = Number(digits[0])
    return this.#x.or(
      first < 9 ? this.#x.seq(this.#digits(first + 1, 9), any) : this.#x.none,
      this.#x.seq(this.#text(digits[0]!), this.#atLeast(digits.slice(1), isOpen)),
    )
  }

  /** Digits behind the point that are not above these. */
  #atMost(digits: string, isOpen: boolean): Expression {
    if (digits === '') return isOpen ? this.#x.none : this.#x.repeat(this.#text('0'), 0)
    const first = Number(digits[0])
    return this.#x.or(
      this.#x.empty,
      first > 0 ? this.#x.seq(this.#digits(0, first - 1), this.#x.repeat(this.#digit, 0)) : this.#x.none,
      this.#x.seq(this.#text(digits[0]!), this.#atMost(digits.slice(1), isOpen)),
    )
  }

  /** Whole numbers ≥ 0 from `low` to `high`, without zeros in front. */
  #wholes(low: number, high: number | undefined): Expression {
    const most = high ?? Math.max(10 ** DIGITS - 1, 10 * low)
    if (most < low) return this.#x.none
    const options: Expression[] = []
    const [from, to] = [BigInt(low), BigInt(most)]
    for (let length = from.toString().length; length <= to.toString().length; length++) {
      const least = length === 1 ? 0n : 10n ** BigInt(length - 1)
      const greatest = 10n ** BigInt(length) - 1n
      options.push(
        this.#sameLength((from > least ? from : least).toString(), (to < greatest ? to : greatest).toString()),
      )
    }
    return this.#x.or(...options)
  }

  /** Numbers of as many digits as both have, between the two. */
  #sameLength(low: string, high: string): Expression {
    if (low === '') return this.#x.empty
    const rest = low.length - 1
    const [a, b] = [Number(low[0]), Number(high[0])]
    if (a === b) return this.#x.seq(this.#digits(a, a), this.#sameLength(low.slice(1), high.slice(1)))
    const isLowWhole = /^.0*$/.test(low)
    const isHighWhole = /^.9*$/.test(high)
    const [c, d] = [isLowWhole ? a : a + 1, isHighWhole ? b : b - 1]
    return this.#x.or(
      isLowWhole ? this.#x.none : this.#x.seq(this.#digits(a, a), this.#sameLength(low.slice(1), '9'.repeat(rest))),
      c <= d ? this.#x.seq(this.#digits(c, d), this.#x.repeat(this.#digit, rest, rest)) : this.#x.none,
      isHighWhole ? this.#x.none : this.#x.seq(this.#digits(b, b), this.#sameLength('0'.repeat(rest), high.slice(1))),
    )
  }

  #digits(from: number, to: number): Expression {
    return this.#x.bytes(byteSet([[48 + from, 48 + to]]))
  }

  #text(text: string): Expression {
    return this.#x.literal(new TextEncoder().encode(text))
  }
}

/** The digits of a whole number ≥ 0, however large. */
function spelt(whole: number): string {
  return BigInt(whole).toString()
}

/** The first whole number above that readers do not take for this one. */
function nextWhole(value: number): number {
  const next = Math.floor(value) + 1
  return Math.abs(value) < 2 ** 53 ? next : value + 2 ** (Math.floor(Math.log2(Math.abs(value))) - 52)
}

/** A number ≥ 0 as its whole part and the digits behind the point, without zeros at the end. */
function decimal(value: number): [whole: number, digits: string] {
  const [mantissa = '', exponent = '0'] = String(value).split('e')
  const [whole = '', part = ''] = mantissa.split('.')
  const shift = Number(exponent)
  const all = whole + part
  const point = whole.length + shift
  const digits = point >= all.length ? '' : point <= 0 ? '0'.repeat(-point) + all : all.slice(point)
  const before = point <= 0 ? '0' : all.slice(0, point).padEnd(point, '0')
  return [Number(before), digits.replace(/0+$/, '')]
}
