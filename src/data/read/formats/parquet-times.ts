// Days and times of a Parquet file as ISO 8601, with all digits that the file has.

/** A day without a time, as `2026-11-27`. */
export function dateFromDays(days: number): string | null {
  return isoOf(days * 86_400_000)?.slice(0, 10) ?? null
}

/** With the digits that a Date has no place for, where there are any. */
export function timestampFromMicroseconds(micros: bigint): string | null {
  return withFraction(micros, 1_000n, 3)
}

/** The same of nanoseconds. */
export function timestampFromNanoseconds(nanos: bigint): string | null {
  return withFraction(nanos, 1_000_000n, 6)
}

function withFraction(ticks: bigint, inMillisecond: bigint, digits: number): string | null {
  const rest = ((ticks % inMillisecond) + inMillisecond) % inMillisecond
  const more = `${rest}`.padStart(digits, '0').replace(/0+$/, '')
  return isoOf(Number((ticks - rest) / inMillisecond))?.replace('Z', `${more}Z`) ?? null
}

function isoOf(milliseconds: number): string | undefined {
  const date = new Date(milliseconds)
  return Number.isNaN(date.getTime()) ? undefined : date.toISOString()
}
