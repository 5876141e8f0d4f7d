// What calls cost.

import type { ChatUsage } from '../../chat/answer.ts'
import { UsageError } from '../../errors.ts'

/** Prices for a million tokens, in whatever currency. */
export interface Cost {
  input: number
  output: number
  /** For those of the prompt that the service still had. Default: as `input`. */
  cached?: number
}

/** UsageError for prices that are none. */
export function checkCost(cost: Cost | undefined): void {
  for (const [name, price] of Object.entries(cost ?? {}))
    if (!(typeof price === 'number' && price >= 0 && Number.isFinite(price)))
      throw new UsageError(`cost: expected a price of at least 0 for ${name}, got ${String(price)}`)
}

export function costOf({ promptTokens, completionTokens, cachedTokens = 0 }: ChatUsage, price: Cost): number {
  const { input, output, cached = input } = price
  return ((promptTokens - cachedTokens) * input + cachedTokens * cached + completionTokens * output) / 1e6
}
