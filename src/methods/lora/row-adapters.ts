// Several adapters in one call of the model: each sequence of a scheduler goes through its own. They come and go while it runs.
import type { ModelAdapters, RowSpan } from '../../infer/model-adapters.ts'
import { numberOf } from '../../infer/model-state.ts'
import type { Decoder } from '../../model/decoder.ts'
import type { Layer } from '../../nn/layer.ts'
import { readLora } from './adapter-files.ts'
import { loraLayers } from './lora.ts'
import { LoraLinear } from './lora-linear.ts'
import { unload } from './merge.ts'

/**
 * The adapters that are on `model`, for an `Engine` whose requests name them. A request without one gets the model alone, whichever
 * adapters are active.
 *
 * @example
 * loadLora(model, 'runs/french', { name: 'french' })
 * loadLora(model, 'runs/formal', { name: 'formal' })
 * const engine = new Engine({ model, tokenizer, adapters: rowAdapters(model) })
 * await engine.generateAll([{ prompt, adapter: 'french' }, { prompt, adapter: 'formal' }, { prompt }])
 */
export function rowAdapters(model: Decoder): ModelAdapters {
  return new RowAdapters(model)
}

class RowAdapters implements ModelAdapters {
  readonly #model: Decoder
  #layers: readonly LoraLinear[] = []
  /** By name, what its weights were when it was last asked for. */
  readonly #versions = new Map<string, { state: string; version: string }>()
  #lastVersion = 0

  constructor(model: Decoder) {
    this.#model = model
    this.#find()
  }

  get names(): readonly string[] {
    return [...new Set(this.#layers.flatMap(({ adapters }) => [...adapters.keys()]))]
  }

  during<T>(spans: readonly RowSpan[], body: () => T): T {
    const layers = this.#layers
    for (const layer of layers) layer.rowAdapters = spans
    try {
      return body()
    } finally {
      for (const layer of layers) layer.rowAdapters = null
    }
  }

  versionOf(name: string): string {
    const state = this.#layers
      .flatMap(({ adapters }) => {
        const { A, B, magnitude } = adapters.get(name) ?? {}
        return [A, B, magnitude].map((tensor) => (tensor ? `${numberOf(tensor)}:${tensor.version}` : ''))
      })
      .join()
    const known = this.#versions.get(name)
    if (known?.state === state) return known.version
    const version = `${name} ${++this.#lastVersion}`
    this.#versions.set(name, { state, version })
    return version
  }

  baseOf(layer: Layer): Layer {
    return layer instanceof LoraLinear ? (layer.merged ?? layer.base_layer) : layer
  }

  load(name: string, directory: string): void {
    const { attach } = readLora(this.#model, directory)
    attach(name)
    this.#find()
  }

  unload(name: string): void {
    unload(this.#model, name)
    this.#versions.delete(name)
    this.#find()
  }

  #find(): void {
    this.#layers = Array.from(loraLayers(this.#model), ([, layer]) => layer)
  }
}
