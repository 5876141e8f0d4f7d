// How long a server asks to be left alone.

/** Seconds: `Retry-After` as a number or a date, else the `t=` of a `RateLimit`; undefined where it says nothing. */
export function retryAfter(headers: Headers): number | undefined {
  const text = headers.get('retry-after') ?? ''
  if (/^\d+$/.test(text)) return Number(text)
  const date = Date.parse(text)
  if (Number.isFinite(date)) return Math.max(0, (date - Date.now()) / 1000)
  const reset = /\bt=(\d+)/.exec(headers.get('ratelimit') ?? '')?.[1]
  return reset === undefined ? undefined : Number(reset)
}
