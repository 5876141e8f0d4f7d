// Ends a text at the first stop string that completes, wherever the borders between its pieces are, and gives out no part
// of one: text that may become a stop string waits. One Knuth–Morris–Pratt automaton per stop string.

interface Automaton {
  stop: string
  /** Length of the longest proper border of each prefix: where to go on after a mismatch. */
  borders: Int32Array
  /** How much of `stop` the text ends with. */
  matched: number
}

/** Watches one text. */
export class StopStrings {
  readonly #automata: Automaton[]
  #held = ''

  /** `stops` are not empty. */
  constructor(stops: readonly string[]) {
    this.#automata = stops.map((stop) => ({ stop, borders: bordersOf(stop), matched: 0 }))
  }

  /** Takes the next piece; returns what can be given out, and the stop string that has ended the text. */
  push(piece: string): { text: string; stop?: string } {
    if (this.#automata.length === 0) return { text: piece }
    const text = this.#held + piece
    for (let i = this.#held.length; i < text.length; i++) {
      let complete = '' // the longest stop string that ends here
      for (const automaton of this.#automata) {
        advance(automaton, text[i]!)
        const { matched, stop } = automaton
        if (matched === stop.length && matched > complete.length) complete = stop
      }
      if (complete === '') continue
      this.#held = ''
      return { text: text.slice(0, i + 1 - complete.length), stop: complete }
    }
    const waiting = Math.max(...this.#automata.map((automaton) => automaton.matched))
    this.#held = text.slice(text.length - waiting)
    return { text: text.slice(0, text.length - waiting) }
  }

  /** What waits at the end of a text that no stop string ended. */
  flush(): string {
    const rest = this.#held
    this.#held = ''
    return rest
  }
}

function advance(automaton: Automaton, unit: string): void {
  const { stop, borders } = automaton
  let matched = automaton.matched
  while (matched > 0 && stop[matched] !== unit) matched = borders[matched - 1]!
  automaton.matched = stop[matched] === unit ? matched + 1 : 0
}

function bordersOf(stop: string): Int32Array {
  const borders = new Int32Array(stop.length)
  for (let i = 1, length = 0; i < stop.length; i++) {
    while (length > 0 && stop[i] !== stop[length]) length = borders[length - 1]!
    if (stop[i] === stop[length]) length++
    borders[i] = length
  }
  return borders
}
