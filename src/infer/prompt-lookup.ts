// Prompt look-up decoding (Saxena 2023; Transformers' `prompt_lookup_num_tokens`): what a text says next is guessed from what followed
// when it said the same before. The guess costs no model; the model checks it.
// Departs: the latest earlier place counts, Transformers takes the first; a guess that reaches the end of the text goes on in itself.

/** Tokens of the longest ending that is looked for. */
const LONGEST = 3

/** Where a run of tokens ended the last time; its continuations by one token. */
interface Node {
  /** Index of the token that followed; −1 before the first time is over. */
  next: number
  longer?: Map<number, Node>
}

/** Guesses for one text that grows at its end; each token costs the same, however long the text is. */
export class PromptLookup {
  readonly #ids: number[] = []
  readonly #root: Node = { next: -1 }
  /** The runs of 0, 1, … tokens that the text ends with. */
  #endings: Node[] = [this.#root]
  /** Where the longest ending that was there before went on; −1 where none was. */
  #match = -1

  constructor(ids: Iterable<number> = []) {
    for (const id of ids) this.push(id)
  }

  /** Takes the text's next token. */
  push(id: number): void {
    this.#ids.push(id)
    const next = this.#ids.length
    const endings = [this.#root]
    this.#match = -1
    for (const shorter of this.#endings.slice(0, LONGEST)) {
      shorter.longer ??= new Map()
      let node = shorter.longer.get(id)
      if (node === undefined) {
        node = { next: -1 }
        shorter.longer.set(id, node)
      }
      if (node.next >= 0) this.#match = node.next // longer ones come later
      node.next = next
      endings.push(node)
    }
    this.#endings = endings
  }

  /** At most `max` tokens that may come next; none where the text ends with nothing that it said before. */
  draft(max: number): number[] {
    const guess: number[] = []
    if (this.#match < 0) return guess
    const length = this.#ids.length
    for (let i = this.#match; guess.length < max; i++) guess.push(i < length ? this.#ids[i]! : guess[i - length]!)
    return guess
  }
}
