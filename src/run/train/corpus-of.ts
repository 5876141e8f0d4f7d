// Configuration → packed blocks for training and evaluation, through the token cache.
import { join } from 'node:path'
import type { Output } from '../../cli/output.ts'
import type { TrainConfig } from '../../config/schema.ts'
import { type PackedCorpus, packCorpus } from '../../data/packing/token-cache.ts'
import { printable } from '../../printable.ts'
import type { Tokenizer } from '../../text/tokenizer.ts'
import { cacheDirectory } from '../../torch/setup/directories.ts'

export interface Corpora {
  train: PackedCorpus
  evaluation: PackedCorpus | undefined
}

/** Reads, tokenizes and packs what the configuration names; says what it met. Bad lines go to `output_dir/quarantine`. */
export async function corporaOf(
  config: TrainConfig,
  tokenizer: Tokenizer,
  hash: string,
  output: Output,
): Promise<Corpora> {
  const pack = async (
    paths: readonly string[],
    name: 'train' | 'validation',
    split: boolean,
  ): Promise<PackedCorpus> => {
    const corpus = await packCorpus(paths, tokenizer, {
      blockLength: config.max_length,
      textKey: config.text_column,
      dropShortBlock: name === 'train',
      quarantinePath: join(config.output_dir, 'quarantine', `${name}.jsonl`),
      onNotice: (message) => output.note(`notice: ${printable(message)}`),
      cache: { directory: join(cacheDirectory(), 'tokens'), tokenizerHash: hash },
      ...(split && { split: { side: name, fraction: config.val_split } }),
    })
    const bad =
      corpus.report === undefined || corpus.report.bad === 0
        ? ''
        : `; ${corpus.report.bad} bad lines in ${join(config.output_dir, 'quarantine')}`
    output.note(
      `${name}: ${corpus.numTokens.toLocaleString('en')} tokens of ${corpus.numDocuments.toLocaleString('en')} documents in ${corpus.length.toLocaleString('en')} blocks of ${config.max_length}${corpus.report === undefined ? ' (cached)' : ''}${bad}`,
    )
    return corpus
  }
  const split = config.val_split > 0
  const train = await pack(config.dataset, 'train', split)
  const held = config.eval_dataset ?? (split ? config.dataset : undefined)
  return { train, evaluation: held && (await pack(held, 'validation', split)) }
}
