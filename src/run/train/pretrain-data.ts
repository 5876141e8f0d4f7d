// Stage `pretrain`: running text in packed blocks, of which every token is learnt.

import { join } from 'node:path'
import type { TrainConfig } from '../../config/schema.ts'
import { batches } from '../../data/batches.ts'
import { type PackedCorpus, packCorpus } from '../../data/packing/token-cache.ts'
import { spelledNotices } from '../../data/spelled-tokens.ts'
import { ConfigError, InputError } from '../../errors.ts'
import { counted } from '../../report/amounts.ts'
import type { Tokenizer } from '../../text/tokenizer.ts'
import { cacheDirectory } from '../../torch/setup/directories.ts'
import { languageModeling } from '../../train/objective.ts'
import type { Reading, StageData } from './stage-data.ts'

export interface Corpora {
  train: PackedCorpus
  evaluation: PackedCorpus | undefined
}

/** Packs the texts, through the token cache. */
export async function pretrainData(
  config: TrainConfig,
  tokenizer: Tokenizer,
  hash: string,
  reading: Reading,
): Promise<StageData> {
  const corpora = await corporaOf(config, tokenizer, hash, reading)
  const close = (): void => {
    corpora.train.close()
    corpora.evaluation?.close()
  }
  try {
    return {
      train: trainingBatches(config, corpora),
      evaluation: evaluationBatches(config, corpora),
      objective: languageModeling,
      stopTokenIds: [],
      chatTemplate: undefined,
      close,
    }
  } catch (error) {
    close()
    throw error
  }
}

/** Reads, tokenizes and packs what the configuration names; tells what it met. */
export async function corporaOf(
  config: TrainConfig,
  tokenizer: Tokenizer,
  hash: string,
  { tell, quarantine }: Reading = { tell: () => {} },
): Promise<Corpora> {
  const prependBos = config.add_bos_token ?? beginsWithBos(tokenizer)
  if (prependBos && tokenizer.bosTokenId === undefined)
    throw new ConfigError('add_bos_token: expected a tokenizer with a beginning-of-text token, got one without')
  const allowSpecial = config.split_special_tokens === false
  // Both sides of a split are read from the same files, of which everything is said once.
  const said = new Set<string>()
  const onNotice = (message: string): void => {
    if (!said.has(message)) tell({ type: 'notice', message })
    said.add(message)
  }
  const pack = async (
    paths: readonly string[],
    split: 'train' | 'validation',
    isPart: boolean,
  ): Promise<PackedCorpus> => {
    const corpus = await packCorpus(paths, tokenizer, {
      blockLength: config.max_length,
      textKey: config.text_column,
      dropShortBlock: split === 'train',
      prependBos,
      allowSpecial,
      maxBadFraction: config.max_bad_fraction,
      ...(quarantine !== undefined && { quarantinePath: join(quarantine, `${split}.jsonl`) }),
      onNotice,
      cache: { directory: join(cacheDirectory(), 'tokens'), tokenizerHash: hash },
      ...(isPart && { split: { side: split, fraction: config.val_split } }),
    })
    const { numTokens: tokens, numDocuments, length: samples, report, isCached, isPassages } = corpus
    // The reading that found them has told of them itself.
    const bad =
      report.bad === 0 || !isCached ? '' : `; ${counted(report.bad, 'bad line')} left out when it was tokenized`
    const texts = isPassages
      ? `${counted(numDocuments, 'passage')} of ${counted(report.files, 'file')}`
      : counted(numDocuments, 'document')
    const message =
      `${split}: ${counted(tokens, 'token')} of ${texts} in ` +
      `${counted(samples, 'block')} of ${config.max_length}${isCached ? ' (cached)' : ''}${bad}` +
      (split === 'train' ? `\n${marksOf(tokenizer, prependBos)}` : '')
    tell({ type: 'data-read', split, message, tokens, samples })
    return corpus
  }
  const isPart = config.val_split > 0
  const train = await pack(config.dataset, 'train', isPart)
  const held = config.eval_dataset ?? (isPart ? config.dataset : undefined)
  const evaluation = held && (await pack(held, 'validation', isPart))
  const warning = evaluation && isPart && offShare(config.val_split, train.numTokens, evaluation.numTokens)
  if (warning) tell({ type: 'notice', message: warning })
  // Once for both, not for each.
  const count = train.spelled.count + (evaluation?.spelled.count ?? 0)
  const spelled = { count, first: train.spelled.first || (evaluation?.spelled.first ?? '') }
  for (const message of spelledNotices(spelled, allowSpecial)) tell({ type: 'notice', message })
  return { train, evaluation }
}

/** Whether the tokenizer puts its beginning-of-text token before a text by itself. */
function beginsWithBos(tokenizer: Tokenizer): boolean {
  return tokenizer.bosTokenId !== undefined && tokenizer.encode('')[0] === tokenizer.bosTokenId
}

/** One line for people: between which tokens each document stands. */
function marksOf(tokenizer: Tokenizer, prependBos: boolean): string {
  const token = (id: number | undefined): string => (id === undefined ? 'nothing' : tokenizer.idToToken(id)!)
  const ownWay =
    beginsWithBos(tokenizer) === prependBos ? 'as the tokenizer does' : 'unlike the tokenizer: add_bos_token'
  return `each document begins with ${prependBos ? token(tokenizer.bosTokenId) : 'no token of its own'} (${ownWay}) and ends with ${token(tokenizer.eosTokenId)}`
}

/** Documents are of unequal length: a share of them may be quite another share of the text. */
function offShare(fraction: number, trained: number, held: number): string | undefined {
  const share = held / Math.max(1, trained + held)
  if (held === 0 || (share > fraction / 2 && share < Math.min(2 * fraction, (1 + fraction) / 2))) return undefined
  return `val_split: ${fraction} of the documents is ${(100 * share).toPrecision(2)} % of the tokens. Set it otherwise, or give eval_dataset`
}

function trainingBatches(
  config: TrainConfig,
  { train: { length, numTokens }, train }: Corpora,
): ReturnType<typeof batches> {
  const { per_device_train_batch_size: batchSize, max_length } = config
  if (numTokens === 0)
    throw new InputError(`dataset ${config.dataset.join(', ')}: expected text to train on, got none. Check the path`)
  if (length === 0) {
    throw new ConfigError(
      `dataset: expected at least one block of ${max_length} tokens, got ${counted(numTokens, 'token')}. Give more text, or lower max_length`,
    )
  }
  return batches(train, { batchSize, seed: config.data_seed })
}

function evaluationBatches(config: TrainConfig, { evaluation }: Corpora): ReturnType<typeof batches> | undefined {
  if (evaluation === undefined) return undefined
  if (evaluation.length === 0) {
    const key = config.eval_dataset === undefined ? 'val_split' : 'eval_dataset'
    throw new ConfigError(
      `${key}: expected text to evaluate on, got ${counted(evaluation.numDocuments, 'document')} with ${counted(evaluation.numTokens, 'token')}. Give more text${key === 'val_split' ? ', a larger val_split, or eval_dataset' : ''}`,
    )
  }
  return batches(evaluation, { batchSize: config.per_device_eval_batch_size, shuffle: false })
}
