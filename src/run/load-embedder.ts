// A directory of an encoder → what gives texts vectors.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { loadEncoder } from '../checkpoint/model-directory/encoder-directory.ts'
import { readJsonFile } from '../files/read-json.ts'
import { type EmbedderOptions, EncoderEmbedder } from '../infer/encoder-embedder.ts'
import { Tokenizer } from '../text/tokenizer.ts'
import { resolveDevice } from '../torch/index.ts'

/**
 * Loads an encoder, whatever its head, and its tokenizer. Without `pooling` it is what a directory of sentence-transformers says, else the
 * mean of the tokens.
 *
 * @example
 * const embedder = await loadEmbedder('models/e5')
 * const [a, b] = await embedder.embed(['a cat', 'a dog'])
 */
export async function loadEmbedder(
  directory: string,
  { device = 'auto', ...options }: EmbedderOptions & { device?: 'auto' | 'cpu' | 'cuda' } = {},
): Promise<EncoderEmbedder> {
  const model = loadEncoder(directory, { head: { kind: 'none' }, device: resolveDevice(device) })
  try {
    const tokenizer = await Tokenizer.fromDirectory(directory)
    return new EncoderEmbedder(model, tokenizer, { pooling: storedPooling(directory), ...options })
  } catch (error) {
    model.free()
    throw error
  }
}

/** `1_Pooling/config.json` of sentence-transformers. */
function storedPooling(directory: string): 'mean' | 'cls' {
  const file = join(directory, '1_Pooling', 'config.json')
  if (!existsSync(file)) return 'mean'
  const json = readJsonFile(file) as { pooling_mode_cls_token?: unknown } | null
  return json?.pooling_mode_cls_token === true ? 'cls' : 'mean'
}
