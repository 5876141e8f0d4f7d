// A blob that tells of its bytes as they are read: `fetch` sends a body without a word, and with a stream in its place it would not say how long
// it is, which stores of large files ask for.

/** The same bytes as `inner`; `moved` hears how many go at a time. */
export class CountedBlob extends Blob {
  readonly #inner: Blob
  readonly #moved: (bytes: number) => void

  constructor(inner: Blob, moved: (bytes: number) => void) {
    super([])
    Object.defineProperty(this, 'size', { value: inner.size })
    this.#inner = inner
    this.#moved = moved
  }

  override stream(): ReturnType<Blob['stream']> {
    const moved = this.#moved
    const counter = new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        moved(chunk.length)
        controller.enqueue(chunk)
      },
    })
    return this.#inner.stream().pipeThrough(counter) as ReturnType<Blob['stream']>
  }
}
