// Numbers as people say them: how much, how long, what share.

/** Seconds as people say them: `8 s`, `3 m 20 s`, `2 h 05 m`. */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return '?'
  const whole = Math.max(0, Math.round(seconds))
  if (seconds < 9.95) return `${Math.max(0, seconds).toFixed(1)} s`
  if (whole < 60) return `${whole} s`
  if (whole < 3600) return `${Math.floor(whole / 60)} m ${String(whole % 60).padStart(2, '0')} s`
  const minutes = Math.floor(whole / 60)
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, '0')} m`
}

/** A count with a unit in at most three digits: `1.25 M tokens`, `840 kB`. */
export function amount(value: number, unit: string, withUnit = true): string {
  const isBytes = unit === 'bytes'
  const [scale, letter] = value >= 1e9 ? [1e9, 'G'] : value >= 1e6 ? [1e6, 'M'] : value >= 1e4 ? [1e3, 'k'] : [1, '']
  const scaled = value / scale
  const digits = scaled >= 100 || (scale === 1 && Number.isInteger(value)) ? 0 : scaled >= 10 ? 1 : 2
  const suffix = isBytes ? `${letter}B` : letter
  const rounded = scaled >= 1000 ? Math.round(scaled).toLocaleString('en') : scaled.toFixed(digits)
  const number = suffix === '' ? rounded : `${rounded} ${suffix}`
  return withUnit && !isBytes ? `${number} ${unit}` : number
}

/** How many there are of what `noun` names: `1 row`, `2,048 rows`. The plural is `plural` where an `s` does not make it. */
export function counted(count: number, noun: string, plural: string = `${noun}s`): string {
  return `${count.toLocaleString('en')} ${count === 1 ? noun : plural}`
}

/** A number with one decimal, from 1,000 on with none. */
export function oneDecimal(value: number): string {
  return value >= 999.95 ? Math.round(value).toLocaleString('en') : value.toFixed(1)
}

/** A share of one as per cent, with at most one decimal: `12.5 %`. */
export function percent(share: number): string {
  return `${Math.round(1000 * share) / 10} %`
}

/** What was measured, such as a loss, in five digits; counts stay whole. */
export function measured(value: number): string {
  return String(Number.isInteger(value) ? value : Number(value.toPrecision(5)))
}
