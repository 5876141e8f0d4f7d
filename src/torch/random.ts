// Random numbers come from generators that a run owns, seeds and saves; LibTorch's global generator is never used.
import { native } from './native.ts'
import { Tensor, wrap } from './tensor.ts'

const net = new FinalizationRegistry<number>((handle) => native.freeGenerator(handle))

/** A seeded source of random numbers on one device, with a state that can be saved and restored bit for bit. */
export class Generator {
  readonly handle: number
  readonly device: string

  constructor(seed: number, device = 'cpu') {
    if (!Number.isSafeInteger(seed) || seed < 0) throw new RangeError(`seed: expected an integer ≥ 0, got ${seed}`)
    this.handle = native.makeGenerator(seed, device)
    this.device = device
    net.register(this, this.handle)
  }

  /** The whole state as bytes. */
  getState(): Uint8Array {
    const state = wrap(native.getGeneratorState(this.handle))
    const bytes = state.data() as Uint8Array
    state.free()
    return bytes
  }

  /** Restores what `getState` gave. */
  setState(bytes: Uint8Array): void {
    const state = Tensor.from(bytes, [bytes.length], 'u8')
    native.setGeneratorState(this.handle, state.handle)
    state.free()
  }
}
