// A function of tensors that is called over and over, such as the blocks of a model for one token more: after two calls that did the same it is
// played by the engine alone, without JavaScript between the operators (native/replay.cc).
import { native } from './native.ts'
import { Tensor } from './tensor.ts'

type Known = { recording: number; isTwice: boolean } | null

/**
 * Calls that may be played. A key stands for calls that compute the same of their inputs; two calls in a row are recorded, and where they
 * differ in more than their inputs (another operator, number or tensor), the key is computed by JavaScript for good. Weights and caches are
 * held until `free`, and what is written into them in place counts; what replaces them does not.
 */
export class Replay {
  readonly #known = new Map<string, Known>()

  /** `body()`, which must come from the tensors in `inputs` and from what stays the same. */
  run(key: string, inputs: readonly Tensor[], body: () => Tensor): Tensor {
    const known = this.#known.get(key)
    if (known === null) return body()
    const handles = inputs.map(({ handle }) => handle)
    if (known?.isTwice) return new Tensor(native.replay(known.recording, handles))
    let recording = 0
    native.record(handles)
    let made: Tensor | undefined
    try {
      made = body()
    } finally {
      recording = native.recorded(made?.handle ?? 0)
    }
    this.#known.set(key, next(known?.recording ?? 0, recording))
    return made
  }

  /** Forgets all calls. */
  free(): void {
    for (const known of this.#known.values()) if (known !== null) native.forget(known.recording)
    this.#known.clear()
  }
}

/** What is known of a key after one more recording. */
function next(before: number, recording: number): Known {
  if (recording === 0) {
    native.forget(before)
    return null
  }
  if (before === 0) return { recording, isTwice: false }
  const isTwice = native.sameRecordings(before, recording)
  native.forget(before)
  if (isTwice) return { recording, isTwice }
  native.forget(recording)
  return null
}
