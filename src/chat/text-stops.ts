// Stop strings of an answer that has more than text in it.

import { StopStrings } from '../lm/stop-strings.ts'
import type { ChatDelta } from './answer.ts'

/** Stop strings in the text of an answer, which may be between calls. */
export class TextStops {
  /** The one that has ended the answer. */
  found: string | undefined
  readonly #texts: readonly string[]
  readonly #minTokens: number
  #stops: StopStrings
  #tokens = 0

  constructor(texts: readonly string[], minTokens: number) {
    this.#texts = texts
    this.#minTokens = minTokens
    this.#stops = new StopStrings(texts)
  }

  /** What of `deltas` may be given out. */
  filter(deltas: readonly ChatDelta[], tokens: number, isEnd: boolean): ChatDelta[] {
    this.#tokens += tokens
    if (this.found !== undefined) return []
    if (this.#tokens <= this.#minTokens) return [...deltas]
    const kept: ChatDelta[] = []
    const give = (text: string): void => {
      if (text !== '') kept.push({ type: 'text', text })
    }
    for (const delta of deltas) {
      if (delta.type === 'text') {
        const { text, stop } = this.#stops.push(delta.text)
        give(text)
        if (stop === undefined) continue
        this.found = stop
        return kept
      }
      // No stop string goes across a call.
      give(this.#stops.flush())
      this.#stops = new StopStrings(this.#texts)
      kept.push(delta)
    }
    if (isEnd) give(this.#stops.flush())
    return kept
  }
}
