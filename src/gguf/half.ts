// IEEE half precision as it stands inside the blocks of quantized weights, one number at a time; whole tensors are LibTorch's.

const bits = new Uint32Array(1)
const float = new Float32Array(bits.buffer)

/** The 16 bits of a number that was rounded to f32 first; ties go to even, what is too large becomes infinity. */
export function toHalf(value: number): number {
  float[0] = value
  const word = bits[0]!
  const sign = (word >>> 16) & 0x8000
  const magnitude = word & 0x7fffffff
  if (magnitude >= 0x47800000) return sign | (magnitude > 0x7f800000 ? 0x7e00 : 0x7c00) // NaN, or 65536 and more
  if (magnitude >= 0x38800000) return sign | ((magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13)
  // Subnormal: whole multiples of 2⁻²⁴. Multiplying by a power of two is exact, and so is the rounding below.
  const scaled = Math.abs(float[0]!) * 2 ** 24
  const floor = Math.floor(scaled)
  const rest = scaled - floor
  return sign | (rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor)
}

/** The number that 16 bits stand for. */
export function fromHalf(half: number): number {
  const sign = half & 0x8000 ? -1 : 1
  const exponent = (half >>> 10) & 31
  const fraction = half & 1023
  if (exponent === 0) return sign * fraction * 2 ** -24
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN
  return sign * (1024 + fraction) * 2 ** (exponent - 25)
}

/** `toHalf` read back: what a scale is worth once it is stored. */
export function roundToHalf(value: number): number {
  return fromHalf(toHalf(value))
}

/** Writes the half of a number at a byte, little-endian. */
export function putHalf(out: Uint8Array, at: number, value: number): void {
  const half = toHalf(value)
  out[at] = half & 255
  out[at + 1] = half >> 8
}
