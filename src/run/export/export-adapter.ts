// `anneal export --to gguf --adapter DIR --adapter-only`: the adapter in a file of its own, for llama.cpp's `--lora`.

import { mkdirSync } from 'node:fs'
import { basename, dirname, resolve } from 'node:path'
import { loadDecoder } from '../../checkpoint/model-directory/load.ts'
import { exportAdapterGguf } from '../../gguf/export-adapter.ts'
import { isGguf, loadGgufParts } from '../../gguf/load-parts.ts'
import { loadLora } from '../../methods/lora/adapter-files.ts'
import { loraLayers } from '../../methods/lora/lora.ts'
import { scaleOf } from '../../methods/lora/lora-linear.ts'

/** Writes the adapter to `out`; an UnsupportedError says what llama.cpp cannot load and what to do instead. */
export async function exportAdapterOnly(
  base: string,
  directory: string,
  out: string,
): Promise<{ size: number; modules: number }> {
  const model = isGguf(base) ? (await loadGgufParts(base)).model : loadDecoder(base)
  try {
    loadLora(model, directory)
    const adapters = Array.from(loraLayers(model), ([path, layer]) => {
      const [adapter] = [...layer.adapters.values()]
      const { A, B, magnitude } = adapter!
      return [path, { A, B, scale: scaleOf(adapter!, A.size(0)), isDora: magnitude !== null }] as const
    })
    mkdirSync(dirname(resolve(out)), { recursive: true })
    const { size } = exportAdapterGguf(model.config, new Map(adapters), out, basename(resolve(directory)))
    return { size, modules: adapters.length }
  } finally {
    model.free()
  }
}
