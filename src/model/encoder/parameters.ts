// Every parameter of an encoder by path, and the names that files have for them.

import { blockParameters, linear, type Naming, norm, type Parameter } from '../block-parameters.ts'
import type { EncoderConfig } from './config.ts'
import { ENCODER_FAMILIES, type EncoderType } from './families.ts'

/** Every parameter by path, in the order of the forward pass; those of the head begin with `head.`. */
export function encoderParameters(config: EncoderConfig): Parameter[] {
  const { hiddenSize, embeddingSize, vocabSize, head } = config
  const table = (name: string, rows: number): Parameter[] =>
    rows === 0 ? [] : [{ path: `model.${name}.weight`, shape: [rows, embeddingSize] }]
  const isRotary = !config.hasLearnedPositions
  return [
    ...table('embed_tokens', vocabSize),
    ...table('embed_positions', isRotary ? 0 : config.maxPositionEmbeddings),
    ...table('embed_types', config.typeVocabSize),
    ...norm(config, 'model.embed_norm', embeddingSize),
    ...(embeddingSize === hiddenSize ? [] : linear('model.embed_project', hiddenSize, embeddingSize, true)),
    ...config.layers
      .flatMap((layer, i) => blockParameters(config, layer, `model.layers.${i}`))
      // ModernBERT's first block reads the normed embedding as it is.
      .filter(({ path }) => !(isRotary && path.startsWith('model.layers.0.input_layernorm.'))),
    ...(isRotary ? norm(config, 'model.norm', hiddenSize) : []),
    ...(head === null ? [] : headParameters(config, head)),
  ]
}

function headParameters(config: EncoderConfig, head: NonNullable<EncoderConfig['head']>): Parameter[] {
  const { hiddenSize, embeddingSize, tieWordEmbeddings } = config
  const width = head.denseSize === 0 ? hiddenSize : head.denseSize
  const dense = head.denseSize === 0 ? [] : linear('head.dense', width, hiddenSize, head.hasDenseBias)
  const normed = head.hasNorm ? norm(config, 'head.norm', width) : []
  if (head.kind !== 'mlm') return [...dense, ...normed, ...linear('head.out', head.outputs, width, true)]
  const own = tieWordEmbeddings ? [] : linear('head.out', head.outputs, embeddingSize, false)
  return [...dense, ...normed, ...own, { path: 'head.bias', shape: [head.outputs] }]
}

/** The names of an encoder's file. */
export function encoderNaming({ modelType, head }: Pick<EncoderConfig, 'modelType' | 'head'>): Naming {
  const { naming } = ENCODER_FAMILIES[modelType]
  return {
    prefix: naming.prefix,
    blocks: naming.blocks,
    inside: naming.inside,
    outside: { ...naming.outside, ...(head !== null && naming.heads[head.kind]) },
    isInterleaved: false,
    isTransposed: false,
  }
}

/** True for tensors of a file that belong to another head than this model has, or to the pooler that nothing reads. */
export function isOtherHead(modelType: EncoderType, name: string): boolean {
  const { naming, wider } = ENCODER_FAMILIES[modelType]
  if (Object.keys(wider).length > 0 && name.startsWith('cls.')) return true
  const heads = Object.values(naming.heads).flatMap((modules) => Object.values(modules))
  const pooler = `${naming.prefix}pooler.dense`
  return [...heads, pooler, 'pooler.dense'].some((module) => name.startsWith(`${module}.`))
}

/** What a tensor of the file must be a copy of, where the head is tied: the embedding, or the bias of the head. */
export function tiedCopy({ modelType, head, tieWordEmbeddings }: EncoderConfig, name: string): string | undefined {
  const { naming } = ENCODER_FAMILIES[modelType]
  if (head?.kind !== 'mlm') return undefined
  const { head: bias, 'head.out': out } = naming.heads.mlm!
  if (tieWordEmbeddings && name === `${out}.weight`) return 'model.embed_tokens.weight'
  return bias !== out && name === `${out}.bias` ? 'head.bias' : undefined
}
