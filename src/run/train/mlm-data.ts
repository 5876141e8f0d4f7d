// Stage `mlm`: running text in rows as an encoder reads them, of which some tokens are hidden.

import { join } from 'node:path'
import { heldPaths } from '../../config/data-keys.ts'
import type { TrainConfig } from '../../config/schema.ts'
import type { BatchSource } from '../../data/batch.ts'
import { batches } from '../../data/batches.ts'
import { maskedBatches } from '../../data/masking.ts'
import { readDocuments } from '../../data/read/sources.ts'
import type { Dataset, Sample } from '../../data/sample.ts'
import { onSide, type Side } from '../../data/split.ts'
import { framedPieces } from '../../data/tuning/framed-text.ts'
import { SampleStore } from '../../data/tuning/sample-store.ts'
import { ConfigError } from '../../errors.ts'
import { counted } from '../../report/amounts.ts'
import type { Tokenizer } from '../../text/tokenizer.ts'
import { maskedLanguageModeling } from '../../train/masked-lm.ts'
import { type HeadedReading, padIdFor, windowFor } from './headed-reading.ts'
import type { StageData } from './stage-data.ts'
import { refuseEmpty } from './tuning-files.ts'

/** Reads the texts in rows of at most `max_length` tokens; long ones become several. */
export async function mlmData(config: TrainConfig, tokenizer: Tokenizer, reading: HeadedReading): Promise<StageData> {
  const { tell, quarantine, described } = reading
  const maskId = maskIdOf(tokenizer)
  const maxLength = windowFor(config, described, tell)
  const read = async (paths: readonly string[], name: Side, side: Side | undefined): Promise<SampleStore> => {
    const store = new SampleStore()
    const documents = readDocuments(paths, {
      textKey: config.text_column,
      ...(quarantine !== undefined && { quarantinePath: join(quarantine, `${name}.jsonl`) }),
      maxBadFraction: config.max_bad_fraction,
      onNotice: (message) => (name === 'train' ? tell({ type: 'notice', message }) : undefined),
    })
    const chosen = side === undefined ? documents : onSide(documents, side, { fraction: config.val_split })
    for await (const { text } of chosen)
      for (const ids of framedPieces(tokenizer, text, maxLength)) store.add({ ids, labels: ids })
    tell({
      type: 'data-read',
      split: name,
      message: `${name}: ${counted(store.tokens, 'token')} in ${counted(store.length, 'row')} of at most ${maxLength}`,
      tokens: store.tokens,
      samples: store.length,
    })
    return store
  }
  const isSplit = config.val_split > 0
  const train = await read(config.dataset, 'train', isSplit ? 'train' : undefined)
  const paths = heldPaths(config.eval_dataset)
  const held =
    paths !== undefined
      ? await read(paths, 'validation', undefined)
      : isSplit
        ? await read(config.dataset, 'validation', 'validation')
        : undefined
  refuseEmpty('text', train, held, { config, rows: train.length })
  const special = new Set(tokenizer.specialTokens.values())
  const continuesWord = config.whole_word_mask ? wordContinuation(tokenizer) : undefined
  const hide = (set: Dataset<Sample>, batchSize: number, seed: number | undefined): BatchSource => {
    const order = seed === undefined ? { shuffle: false } : { seed }
    const source = batches(set, { batchSize, ...order, padId: padIdFor(described, tokenizer) })
    return maskedBatches(source, {
      maskId,
      // A tokenizer may have added tokens that the model has no rows for, and the other way.
      vocabSize: Math.min(tokenizer.vocabSize, described.vocabSize),
      isSpecial: (id) => special.has(id),
      probability: config.mlm_probability!,
      ...(continuesWord && { continuesWord }),
      seed: seed ?? 0,
    })
  }
  return {
    train: hide(train, config.per_device_train_batch_size, config.data_seed),
    // The same tokens are hidden in every evaluation.
    evaluation: held && hide(held, config.per_device_eval_batch_size, undefined),
    objective: maskedLanguageModeling,
    stopTokenIds: [],
    chatTemplate: undefined,
    close: () => {},
  }
}

/** The id of the token that stands for a hidden one. */
export function maskIdOf(tokenizer: Tokenizer): number {
  const names = [tokenizer.namedTokens.mask_token, '[MASK]', '<mask>'].filter((name) => name !== undefined)
  const id = names.map((name) => tokenizer.tokenToId(name)).find((each) => each !== undefined)
  if (id !== undefined) return id
  throw new ConfigError(
    'tokenizer_name_or_path: expected a tokenizer with a mask token ([MASK], <mask>, or mask_token in tokenizer_config.json), got one without',
  )
}

/** Tells which ids go on with a word, by the mark that the tokenizer puts on its parts: `##` on those, or `▁` or `Ġ` on first ones. */
export function wordContinuation(tokenizer: Tokenizer): (id: number) => boolean {
  const tokens = Array.from({ length: tokenizer.vocabSize }, (_, id) => tokenizer.idToToken(id) ?? '')
  const share = (mark: string): number => tokens.filter((token) => token.startsWith(mark)).length
  if (share('##') > 1) return (id) => tokens[id]?.startsWith('##') ?? false
  const first = share('▁') >= share('Ġ') ? '▁' : 'Ġ'
  if (share(first) < 2)
    throw new ConfigError(
      'whole_word_mask: expected a tokenizer that marks the parts of words (##, ▁ or Ġ), got one that does not. Set it to false',
    )
  return (id) => !tokens[id]!.startsWith(first)
}
