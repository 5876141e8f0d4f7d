// Merges one after the other until the vocabulary is full or no pair is frequent enough, with a turn for signals and readers now and then.
import { turn } from '../../work.ts'
import { MergeLearner, type SymbolWords } from './merge-learner.ts'

/** What makes a token of a pair, and when it is enough. */
export interface Merging {
  minFrequency: number
  isFull: () => boolean
  /** The id of the two symbols together; undefined where they must stay apart. */
  join: (left: number, right: number) => number | undefined
  /** Called now and then, and not at the end. */
  onProgress: () => void
  signal: AbortSignal | undefined
}

const NEXT_TURN = 256

/** Learns merges on `words`, which it joins in place; the most frequent pair comes first. */
export async function learnMerges(
  words: SymbolWords,
  { minFrequency, isFull, join, onProgress, signal }: Merging,
): Promise<void> {
  const learner = new MergeLearner(words)
  let merges = 0
  while (!isFull()) {
    const best = learner.next()
    if (best === undefined || best.count < minFrequency) return
    const merged = join(best.left, best.right)
    if (merged === undefined) continue
    learner.apply(best, merged)
    if (++merges % NEXT_TURN !== 0) continue
    onProgress()
    await turn({ signal })
  }
}
