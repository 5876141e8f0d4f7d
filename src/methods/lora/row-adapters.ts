// Several adapters in one call of the model: each sequence of a scheduler goes through its own.
import type { ModelAdapters } from '../../infer/model-adapters.ts'
import type { Decoder } from '../../model/decoder.ts'
import { loraLayers } from './lora.ts'

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
  const layers = Array.from(loraLayers(model), ([, layer]) => layer)
  return {
    names: [...new Set(layers.flatMap(({ adapters }) => [...adapters.keys()]))],
    during: (spans, body) => {
      for (const layer of layers) layer.rowAdapters = spans
      try {
        return body()
      } finally {
        for (const layer of layers) layer.rowAdapters = null
      }
    },
  }
}
