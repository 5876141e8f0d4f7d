// One kind of text in a mixture, set apart so that a model can be adapted to what it has not seen. No names, no languages: passages
// are compared by how often they use each character (code by its brackets, tables by their bars, verse by its line ends).

/** How many of the most frequent characters are looked at. */
const CHARACTERS = 64
/** Rounds of the power iteration; the direction need not be exact, only the same every time. */
const ROUNDS = 30
const MARKS = 5

export interface SetApart<Passage> {
  /** The kind; empty where there are too few passages for one. */
  apart: Passage[]
  rest: Passage[]
  /** The characters that the kind uses more than the rest, the foremost first; a line end is ⏎ and a space is ␣. */
  marks: string[]
}

/**
 * Takes the `share` of the passages that lies furthest out in the direction in which frequencies of characters differ most (the
 * first principal component of their square roots), on the side with fewer letters and spaces. The order of the passages does not matter, and stays.
 */
export function setApart<Passage extends { text: string }>(
  passages: readonly Passage[],
  share: number,
): SetApart<Passage> {
  const count = Math.floor(passages.length * share)
  // One to learn from and one to be judged by.
  if (count < 2) return { apart: [], rest: [...passages], marks: [] }
  const characters = frequentCharacters(passages)
  const features = centred(passages.map(({ text }) => rootFrequencies(text, characters)))
  const direction = principalDirection(features, characters.size)
  const scores = features.map((row) => dot(row, direction))
  const order = scores.map((score, index) => [score, index] as const).sort(([a], [b]) => b - a)
  const tails = [order.slice(0, count), order.slice(-count)].map((tail) => tail.map(([, index]) => index))
  // Words are what kinds of text share; what sets one apart is the rest.
  const [first, last] = tails.map((tail) => tail.reduce((sum, index) => sum + wordShare(passages[index]!.text), 0))
  const chosen = new Set(first! < last! ? tails[0] : tails[1])
  const difference = new Float64Array(characters.size)
  for (const index of chosen) for (let c = 0; c < difference.length; c++) difference[c]! += features[index]![c]!
  const marks = [...characters.keys()]
    .map((character, c) => [difference[c]!, character] as const)
    .filter(([more]) => more > 0)
    .sort(([a], [b]) => b - a)
    .slice(0, MARKS)
    .map(([, character]) => ({ '\n': '⏎', ' ': '␣', '\t': '⇥' })[character] ?? character)
  return {
    apart: passages.filter((_, index) => chosen.has(index)),
    rest: passages.filter((_, index) => !chosen.has(index)),
    marks,
  }
}

function wordShare(text: string): number {
  return (text.match(/[\p{L}\p{M} ]/gu)?.length ?? 0) / text.length
}

/** The most frequent characters of all passages, each with its place. */
function frequentCharacters(passages: readonly { text: string }[]): Map<string, number> {
  const counts = new Map<string, number>()
  for (const { text } of passages) for (const character of text) counts.set(character, (counts.get(character) ?? 0) + 1)
  const order = [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))
  return new Map(order.slice(0, CHARACTERS).map(([character], place) => [character, place]))
}

/** Square roots, so that rare characters count beside the letters that are everywhere. */
function rootFrequencies(text: string, characters: ReadonlyMap<string, number>): Float64Array {
  const counts = new Float64Array(characters.size)
  for (const character of text) {
    const place = characters.get(character)
    if (place !== undefined) counts[place]!++
  }
  return counts.map((count) => Math.sqrt(count / text.length))
}

function centred(rows: readonly Float64Array[]): Float64Array[] {
  const mean = new Float64Array(rows[0]!.length)
  for (const row of rows) for (let c = 0; c < mean.length; c++) mean[c]! += row[c]! / rows.length
  return rows.map((row) => row.map((value, c) => value - mean[c]!))
}

function principalDirection(rows: readonly Float64Array[], size: number): Float64Array {
  let direction = Float64Array.from({ length: size }, (_, c) => 1 / (1 + c))
  for (let round = 0; round < ROUNDS; round++) {
    const next = new Float64Array(size)
    for (const row of rows) {
      const score = dot(row, direction)
      for (let c = 0; c < size; c++) next[c]! += score * row[c]!
    }
    const norm = Math.sqrt(dot(next, next))
    if (norm === 0) break
    direction = next.map((value) => value / norm)
  }
  return direction
}

function dot(a: Float64Array, b: Float64Array): number {
  return a.reduce((sum, value, c) => sum + value * b[c]!, 0)
}
