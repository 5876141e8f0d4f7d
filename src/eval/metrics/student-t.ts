// How often chance alone gives a t as large: Student's distribution by the regularized incomplete beta function.

/** Lanczos' coefficients for g = 7, nine terms (Godfrey): ln Γ to 1e-14. */
const LANCZOS = [
  0.9999999999998099, 676.5203681218851, -1259.1392167224028, 771.3234287776531, -176.6150291621406, 12.507343278686905,
  -0.13857109526572012, 9.984369578019572e-6, 1.5056327351493116e-7,
] as const

/** The probability that |t| is at least this large with `freedom` degrees of freedom; NaN without any. */
export function twoSidedP(t: number, freedom: number): number {
  if (!(freedom > 0) || Number.isNaN(t)) return Number.NaN
  return incompleteBeta(freedom / (freedom + t * t), freedom / 2, 0.5)
}

/** Half of the 95 % interval of a mean, by Student's t; NaN for fewer than two values. */
export function halfInterval(values: readonly number[]): number {
  const n = values.length
  if (n < 2) return Number.NaN
  const mean = values.reduce((a, b) => a + b, 0) / n
  const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (n - 1))
  let [low, high] = [0, 13] // 12.706 is that of one degree of freedom
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2
    if (twoSidedP(middle, n - 1) > 0.05) low = middle
    else high = middle
  }
  return (low * deviation) / Math.sqrt(n)
}

/** ln Γ(x) for x > 0. */
export function logGamma(x: number): number {
  const y = x - 1
  let sum: number = LANCZOS[0]
  for (let i = 1; i < LANCZOS.length; i++) sum += LANCZOS[i]! / (y + i)
  const base = y + 7.5
  return 0.5 * Math.log(2 * Math.PI) + (y + 0.5) * Math.log(base) - base + Math.log(sum)
}

/** I_x(a, b) by its continued fraction (Lentz), on the side where that is quick. */
function incompleteBeta(x: number, a: number, b: number): number {
  if (x <= 0) return 0
  if (x >= 1) return 1
  const front = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log(1 - x))
  return x < (a + 1) / (a + b + 2) ? (front * fraction(x, a, b)) / a : 1 - (front * fraction(1 - x, b, a)) / b
}

function fraction(x: number, a: number, b: number): number {
  const away = (value: number): number => (Math.abs(value) < 1e-300 ? 1e-300 : value)
  let c = 1
  let d = 1 / away(1 - ((a + b) * x) / (a + 1))
  let result = d
  for (let m = 1; m <= 500; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m))
    d = 1 / away(1 + even * d)
    c = away(1 + even / c)
    result *= d * c
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1))
    d = 1 / away(1 + odd * d)
    c = away(1 + odd / c)
    result *= d * c
    if (Math.abs(d * c - 1) < 1e-15) break
  }
  return result
}
