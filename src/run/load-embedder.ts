// A directory of an encoder → what gives texts vectors.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { loadEncoder } from '../checkpoint/model-directory/encoder-directory.ts'
import { UnsupportedError } from '../errors.ts'
import { readJsonFile } from '../files/read-json.ts'
import { type EmbedderOptions, EncoderEmbedder } from '../infer/encoder-embedder.ts'
import { Tokenizer } from '../text/tokenizer.ts'
import { resolveDevice } from '../torch/index.ts'
import { resolveModelPath } from './resolve-model.ts'

/**
 * Loads an encoder, whatever its head, and its tokenizer, from a directory or by its name on the hub. Without `pooling` it is what a directory of sentence-transformers says, else the
 * mean of the tokens.
 *
 * @example
 * const embedder = await loadEmbedder('models/e5')
 * const [a, b] = await embedder.embed(['a cat', 'a dog'])
 */
export async function loadEmbedder(
  name: string,
  { device = 'auto', ...options }: EmbedderOptions & { device?: 'auto' | 'cpu' | 'cuda' } = {},
): Promise<EncoderEmbedder> {
  const directory = await resolveModelPath(name)
  const model = loadEncoder(directory, { head: { kind: 'none' }, device: resolveDevice(device) })
  try {
    const tokenizer = await Tokenizer.fromDirectory(directory)
    return new EncoderEmbedder(model, tokenizer, {
      ...options,
      pooling: options.pooling ?? storedPooling(directory),
      maxLength: options.maxLength ?? storedLength(directory) ?? model.window,
    })
  } catch (error) {
    model.free()
    throw error
  }
}

/** What `sentence_bert_config.json` of sentence-transformers cuts texts to, which may be less than the model reads. */
function storedLength(directory: string): number | undefined {
  const file = join(directory, 'sentence_bert_config.json')
  const { max_seq_length: most } = (existsSync(file) ? (readJsonFile(file) ?? {}) : {}) as { max_seq_length?: unknown }
  return typeof most === 'number' ? most : undefined
}

const NAMED: Readonly<Record<string, string>> = { mean: 'pooling_mode_mean_tokens', cls: 'pooling_mode_cls_token' }

/** What `modules.json` of sentence-transformers has behind the encoder and its pooling: more than a length of 1 would be other vectors. */
function checkModules(file: string): void {
  if (!existsSync(file)) return
  const modules = readJsonFile(file)
  const types = Array.isArray(modules) ? modules.map((entry) => String((entry as { type?: unknown } | null)?.type)) : []
  const other = types.find((type) => !/(?:^|\.)(?:Transformer|Pooling|Normalize)$/.test(type))
  if (other === undefined) return
  throw new UnsupportedError(
    `${file}: expected Transformer, Pooling and Normalize, got ${other}, whose work is not done here. To leave it out all the same, say pooling: 'mean' or 'cls'`,
  )
}

/** `1_Pooling/config.json` of sentence-transformers. UnsupportedError for a way that is not one of ours: its vectors would be others. */
function storedPooling(directory: string): 'mean' | 'cls' {
  checkModules(join(directory, 'modules.json'))
  const file = join(directory, '1_Pooling', 'config.json')
  if (!existsSync(file)) return 'mean'
  const json = Object.entries((readJsonFile(file) ?? {}) as Record<string, unknown>)
  // Newer files name the way (`pooling_mode: cls`), older ones have a flag for each.
  const modes = json.flatMap(([key, value]) => {
    if (key === 'pooling_mode') return [NAMED[String(value)] ?? `pooling_mode: ${JSON.stringify(value)}`]
    return key.startsWith('pooling_mode') && value === true ? [key] : []
  })
  if (modes.length === 0 || modes.join() === 'pooling_mode_mean_tokens') return 'mean'
  if (modes.join() === 'pooling_mode_cls_token') return 'cls'
  throw new UnsupportedError(
    `${file}: expected pooling_mode_mean_tokens or pooling_mode_cls_token, got ${modes.join(', ')}. To pool otherwise all the same, say pooling: 'mean' or 'cls'`,
  )
}
