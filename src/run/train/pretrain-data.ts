// Stage `pretrain`: running text in packed blocks, of which every token is learnt.

import { join } from 'node:path'
import type { TrainConfig } from '../../config/schema.ts'
import type { BatchSource } from '../../data/batch.ts'
import { batches } from '../../data/batches.ts'
import { type PackedCorpus, packCorpus } from '../../data/packing/token-cache.ts'
import { spelledNotices } from '../../data/spelled-tokens.ts'
import { ConfigError, InputError } from '../../errors.ts'
import { counted } from '../../report/amounts.ts'
import type { Tokenizer } from '../../text/tokenizer.ts'
import { cacheDirectory } from '../../torch/setup/directories.ts'
import { languageModeling } from '../../train/objective.ts'
import { heldBatches, mixedBatches, type NamedCorpus } from './mixed-data.ts'
import type { Reading, StageData } from './stage-data.ts'

export interface Corpora {
  /** One, or each source of a mixture. */
  train: readonly NamedCorpus[]
  /** One, each set that has a name, or the held-out side of each source; none where nothing is evaluated on. */
  evaluation: readonly NamedCorpus[]
  close(): void
}

/** Packs the texts, through the token cache. */
export async function pretrainData(
  config: TrainConfig,
  tokenizer: Tokenizer,
  hash: string,
  reading: Reading,
): Promise<StageData> {
  const corpora = await corporaOf(config, tokenizer, hash, reading)
  try {
    return {
      train: trainingBatches(config, corpora, reading),
      evaluation: evaluationBatches(config, corpora, reading),
      objective: () => languageModeling(),
      stopTokenIds: [],
      chatTemplate: undefined,
      close: () => corpora.close(),
    }
  } catch (error) {
    corpora.close()
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
  if (tokenizer.eosTokenId === undefined)
    throw new ConfigError(
      'tokenizer_name_or_path: expected a tokenizer with a token that ends a text (eos_token), got one without. Name it in its tokenizer_config.json, such as {"eos_token": "</s>"}',
    )
  const allowSpecial = config.split_special_tokens === false
  // Both sides of a split are read from the same files, of which everything is said once.
  const said = new Set<string>()
  const onNotice = (message: string): void => {
    if (!said.has(message)) tell({ type: 'notice', message })
    said.add(message)
  }
  const all: PackedCorpus[] = []
  const reads = { train: 0, validation: 0 }
  const pack = async (
    paths: readonly string[],
    split: 'train' | 'validation',
    isPart: boolean,
    name?: string,
  ): Promise<NamedCorpus> => {
    // Sources are read one by one, each with a file of its own for what is bad in it.
    const number = ++reads[split]
    const corpus = await packCorpus(paths, tokenizer, {
      blockLength: config.max_length,
      textKey: config.text_column,
      dropShortBlock: split === 'train',
      prependBos,
      allowSpecial,
      maxBadFraction: config.max_bad_fraction,
      ...(quarantine !== undefined && {
        quarantinePath: join(quarantine, `${split}${number > 1 ? `-${number}` : ''}.jsonl`),
      }),
      onNotice,
      cache: { directory: join(cacheDirectory(), 'tokens'), tokenizerHash: hash },
      ...(isPart && { split: { side: split, fraction: config.val_split } }),
    })
    all.push(corpus)
    const { numTokens: tokens, numDocuments, length: samples, report, isCached, isPassages } = corpus
    // The reading that found them has told of them itself.
    const bad =
      report.bad === 0 || !isCached ? '' : `; ${counted(report.bad, 'bad line')} left out when it was tokenized`
    const texts = isPassages
      ? `${counted(numDocuments, 'passage')} of ${counted(report.files, 'file')}`
      : counted(numDocuments, 'document')
    const message =
      `${split}${name === undefined ? '' : ` ${name}`}: ${counted(tokens, 'token')} of ${texts} in ` +
      `${counted(samples, 'block')} of ${config.max_length}${isCached ? ' (cached)' : ''}${bad}` +
      (split === 'train' && number === 1 ? `\n${marksOf(tokenizer, prependBos)}` : '')
    tell({ type: 'data-read', split, message, tokens, samples })
    return { name, corpus }
  }
  const close = (): void => {
    for (const corpus of all) corpus.close()
  }
  try {
    const isPart = config.val_split > 0
    const train: NamedCorpus[] = []
    for (const { paths, name } of sourcesOf(config)) train.push(await pack(paths, 'train', isPart, name))
    const evaluation: NamedCorpus[] = []
    for (const { paths, name } of heldSets(config)) evaluation.push(await pack(paths, 'validation', isPart, name))
    const warning = isPart && offShare(config.val_split, tokensOf(train), tokensOf(evaluation))
    if (warning) tell({ type: 'notice', message: warning })
    // Once for all, not for each.
    const count = all.reduce((sum, { spelled }) => sum + spelled.count, 0)
    const first = all.find(({ spelled }) => spelled.first)?.spelled.first ?? ''
    for (const message of spelledNotices({ count, first }, allowSpecial)) tell({ type: 'notice', message })
    return { train, evaluation, close }
  } catch (error) {
    close()
    throw error
  }
}

interface NamedPaths {
  paths: readonly string[]
  name?: string
}

/** Each entry of `dataset` where it has a share of its own, else all of them together. */
function sourcesOf({ dataset, mix_strategy: strategy = 'concat' }: TrainConfig): NamedPaths[] {
  return strategy === 'concat' ? [{ paths: dataset }] : dataset.map((path) => ({ paths: [path], name: path }))
}

function heldSets(config: TrainConfig): NamedPaths[] {
  const { eval_dataset: held, val_split: fraction } = config
  if (held === undefined) return fraction > 0 ? withSetNames(sourcesOf(config)) : []
  return Array.isArray(held) ? [{ paths: held }] : Object.entries(held).map(([name, paths]) => ({ name, paths }))
}

/** `danish/train.jsonl` → train, `runs/danish/data` → danish: what the held-out side of a source is called. */
function withSetNames(sources: readonly NamedPaths[]): NamedPaths[] {
  const taken = new Set<string>()
  return sources.map(({ paths, name }, i) => {
    if (name === undefined) return { paths }
    const parts = name.split(/[/\\]/).filter((part) => part !== '')
    const last = parts.at(-1) === 'data' ? (parts.at(-2) ?? 'data') : (parts.at(-1) ?? '')
    const plain = last.replace(/(?:\.[A-Za-z]\w*)+$/, '').replace(/[^\w-]+/g, '-')
    const own = plain === '' || taken.has(plain) ? `${plain}${i + 1}` : plain
    taken.add(own)
    return { paths, name: own }
  })
}

const tokensOf = (corpora: readonly NamedCorpus[]): number =>
  corpora.reduce((sum, { corpus }) => sum + corpus.numTokens, 0)

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

function trainingBatches(config: TrainConfig, { train }: Corpora, { tell }: Reading): BatchSource {
  const { per_device_train_batch_size: batchSize, max_length } = config
  if (train[0]!.name !== undefined) return mixedBatches(config, train, tell)
  const { corpus } = train[0]!
  const { length, numTokens } = corpus
  if (numTokens === 0)
    throw new InputError(`dataset ${config.dataset.join(', ')}: expected text to train on, got none. Check the path`)
  if (length === 0) {
    throw new ConfigError(
      `dataset: expected at least one block of ${max_length} tokens, got ${counted(numTokens, 'token')}. Give more text, or lower max_length`,
    )
  }
  return batches(corpus, { batchSize, seed: config.data_seed })
}

function evaluationBatches(config: TrainConfig, { evaluation }: Corpora, { tell }: Reading): BatchSource | undefined {
  const isSplit = config.eval_dataset === undefined
  // Of the sources of a mixture some may have nothing held out; a set that is named is there to be told of.
  const sets = isSplit ? evaluation.filter(({ corpus }) => corpus.length > 0) : evaluation
  const empty = (sets.length === 0 ? evaluation : sets).find(({ corpus }) => corpus.length === 0)
  if (empty !== undefined) {
    const { name, corpus } = empty
    const key = isSplit ? 'val_split' : `eval_dataset${name === undefined ? '' : `.${name}`}`
    throw new ConfigError(
      `${key}: expected text to evaluate on, got ${counted(corpus.numDocuments, 'document')} with ${counted(corpus.numTokens, 'token')}. Give more text${isSplit ? ', a larger val_split, or eval_dataset' : ''}`,
    )
  }
  for (const { name } of evaluation.filter((set) => !sets.includes(set)))
    tell({
      type: 'notice',
      message: `val_split: nothing of ${name} is held out, which has few documents: it is not evaluated on`,
    })
  return sets.length === 0 ? undefined : heldBatches(sets, config.per_device_eval_batch_size)
}
