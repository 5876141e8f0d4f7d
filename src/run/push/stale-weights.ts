// Weights on the hub that a push replaces by others under other names: shards and their index by a single file, the other way round, or by another
// number of shards. Left there, some loaders would read the old ones and some the new.

const WEIGHTS = /^(.*?)(?:-\d{5}-of-(\d{5}))?\.(safetensors|gguf)$/i
const INDEX = /^(.*\.safetensors)\.index\.json$/i

/** Paths among `there` that are of a model which `going` brings in other files. */
export function staleWeights(going: readonly string[], there: readonly string[]): string[] {
  /** `model.safetensors` → in how many files it goes: '' where it is one. */
  const counts = new Map<string, Set<string>>()
  for (const path of going) {
    const [, stem, count = '', ending] = WEIGHTS.exec(path) ?? []
    if (stem === undefined) continue
    const whole = `${stem}.${ending}`
    counts.set(whole, (counts.get(whole) ?? new Set()).add(count))
  }
  return there.filter((path) => {
    if (going.includes(path)) return false
    const indexed = INDEX.exec(path)?.[1]
    if (indexed !== undefined) return isOnly(counts.get(indexed), '')
    const [, stem, count = '', ending] = WEIGHTS.exec(path) ?? []
    const own = counts.get(`${stem}.${ending}`)
    // Who brings one folder with several sets means them all.
    return own?.size === 1 && !isOnly(own, count)
  })
}

function isOnly(counts: ReadonlySet<string> | undefined, count: string): boolean {
  return counts?.size === 1 && counts.has(count)
}
