// How far out a value of Student's t lies: two-sided p, by the regularized incomplete beta function.

/** P(|T| ≥ |t|) for T with so many degrees of freedom (a number above 0). */
export function studentTwoSided(t: number, degrees: number): number {
  if (Number.isNaN(t)) return Number.NaN
  return incompleteBeta(degrees / (degrees + t * t), degrees / 2, 0.5)
}

/** I_x(a, b) by its continued fraction (Lentz's way; DLMF 8.17.22), on the side where that converges quickly. */
function incompleteBeta(x: number, a: number, b: number): number {
  if (x <= 0) return 0
  if (x >= 1) return 1
  if (x > (a + 1) / (a + b + 2)) return 1 - incompleteBeta(1 - x, b, a)
  const front = Math.exp(a * Math.log(x) + b * Math.log1p(-x) + logGamma(a + b) - logGamma(a) - logGamma(b)) / a
  const tiny = 1e-300
  let c = 1
  let d = 1 / (1 - ((a + b) * x) / (a + 1) || tiny)
  let fraction = d
  for (let m = 1; m <= 500; m++) {
    for (const factor of [
      (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m)),
      (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1)),
    ]) {
      d = 1 / (1 + factor * d || tiny)
      c = 1 + factor / c || tiny
      fraction *= c * d
    }
    if (Math.abs(c * d - 1) < 1e-15) break
  }
  return front * fraction
}

/** ln Γ(x) for x > 0: Stirling's series, after x is moved up to where it is exact to 1e-15. */
function logGamma(x: number): number {
  let shift = 0
  let z = x
  for (; z < 15; z++) shift += Math.log(z)
  const square = z * z
  const series = (1 / 12 - (1 / 360 - (1 / 1260 - 1 / (1680 * square)) / square) / square) / z
  return (z - 0.5) * Math.log(z) - z + 0.5 * Math.log(2 * Math.PI) + series - shift
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
    if (studentTwoSided(middle, n - 1) > 0.05) low = middle
    else high = middle
  }
  return (low * deviation) / Math.sqrt(n)
}
