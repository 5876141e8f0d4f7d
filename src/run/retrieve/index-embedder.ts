// The encoder of an index: loaded, and told apart from others by its files.
import { readdirSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { fileMark } from '../../files/file-mark.ts'
import { hashOf } from '../../files/hash.ts'
import { isHubName } from '../../hub/hub-name.ts'
import type { IndexEmbedder } from '../../retrieve/store/settings.ts'
import type { Watch } from '../../work.ts'
import { loadEmbedder } from '../load-embedder.ts'
import { resolveModelPath } from '../resolve-model.ts'

/** An embedder of an index whose memory can be given back. */
export interface OpenedEmbedder {
  embedder: IndexEmbedder
  /** What to load it by the next time: an absolute path, or the name on the hub. */
  source: string
  free(): void
}

/** Loads an encoder; its name is that of its folder or on the hub, its revision a mark of weights, configuration and tokenizer. */
export async function openIndexEmbedder(
  name: string,
  { device = 'auto' }: { device?: 'auto' | 'cpu' | 'cuda' | undefined },
  watch?: Watch,
): Promise<OpenedEmbedder> {
  const directory = await resolveModelPath(name, watch)
  const isName = resolve(name) !== resolve(directory) && isHubName(name)
  const model = await loadEmbedder(directory, { device })
  const files = readdirSync(directory).filter((file) =>
    /\.(?:safetensors|bin)$|^(?:config|tokenizer)\.json$/.test(file),
  )
  const revision = hashOf(...files.sort().map((file) => `${file} ${fileMark(join(directory, file))}`)).slice(0, 12)
  return {
    embedder: { model, name: isName ? name : basename(resolve(directory)), revision },
    source: isName ? name : resolve(directory),
    free: () => model.free(),
  }
}
