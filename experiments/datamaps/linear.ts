// A linear classifier whose logits are looked at while it learns: hashed words, pairs of words and character 3- to 5-grams, AdaGrad,
// classes balanced. No tensors.

const SIZE = 1 << 18

/** Distinct hashed features of a text, of unit length together. */
export function featuresOf(text: string): Int32Array {
  const found = new Set<number>()
  const hash = (kind: number, part: string): void => {
    let h = 0x811c9dc5 ^ kind
    for (let i = 0; i < part.length; i++) h = Math.imul(h ^ part.charCodeAt(i), 0x01000193)
    found.add((h ^ (h >>> 15)) & (SIZE - 1))
  }
  const words = text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []
  for (const [i, word] of words.entries()) {
    hash(1, word)
    if (i > 0) hash(2, `${words[i - 1]} ${word}`)
    const padded = ` ${word} `
    for (let n = 3; n <= 5; n++) for (let at = 0; at + n <= padded.length; at++) hash(n, padded.slice(at, at + n))
  }
  return Int32Array.from(found)
}

/** Learns `epochs` times over `rows` in an order of `seed`; `seen` hears of the logits of a row before it is learnt from. */
export class Linear {
  private readonly weights: Float32Array[]
  private readonly squares: Float32Array[]
  private readonly rate: number
  private state: number

  constructor(labels: number, { rate, seed }: { rate: number; seed: number }) {
    this.weights = Array.from({ length: labels }, () => new Float32Array(SIZE))
    this.squares = Array.from({ length: labels }, () => new Float32Array(SIZE).fill(1e-8))
    this.rate = rate
    this.state = (seed + 1) >>> 0
  }

  logits(features: Int32Array): number[] {
    const norm = 1 / Math.sqrt(Math.max(1, features.length))
    return this.weights.map((row) => {
      let sum = 0
      for (const feature of features) sum += row[feature]!
      return sum * norm
    })
  }

  epoch(
    rows: readonly { features: Int32Array; label: number; index: number }[],
    balance: readonly number[],
    seen: (index: number, logits: number[]) => void = () => {},
  ): void {
    const order = rows.map((_, i) => [this.random(), i] as const).sort((a, b) => a[0] - b[0])
    for (const [, i] of order) {
      const { features, label, index } = rows[i]!
      const logits = this.logits(features)
      seen(index, logits)
      const most = Math.max(...logits)
      const powers = logits.map((x) => Math.exp(x - most))
      const sum = powers.reduce((a, b) => a + b, 0)
      const norm = 1 / Math.sqrt(Math.max(1, features.length))
      for (const [k, power] of powers.entries()) {
        const gradient = balance[label]! * (power / sum - (k === label ? 1 : 0)) * norm
        const [row, squares] = [this.weights[k]!, this.squares[k]!]
        for (const feature of features) {
          squares[feature]! += gradient * gradient
          row[feature]! -= (this.rate * gradient) / Math.sqrt(squares[feature]!)
        }
      }
    }
  }

  private random(): number {
    this.state = (Math.imul(this.state, 1664525) + 1013904223) >>> 0
    return this.state / 2 ** 32
  }
}
