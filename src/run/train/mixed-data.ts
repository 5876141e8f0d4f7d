// Several corpora as one source of batches: sources of training text with shares, and held-out sets with names.
import type { TrainConfig } from '../../config/schema.ts'
import type { BatchSource } from '../../data/batch.ts'
import { batches } from '../../data/batches.ts'
import { concatenated, mixVisits } from '../../data/mixture.ts'
import type { PackedCorpus } from '../../data/packing/token-cache.ts'
import { ConfigError } from '../../errors.ts'
import { counted, percent } from '../../report/amounts.ts'
import type { RunTell } from './run-events.ts'

/** A corpus, and what it is called: a path of `dataset`, or a name of `eval_dataset`; undefined where it is all there is. */
export interface NamedCorpus {
  readonly name: string | undefined
  readonly corpus: PackedCorpus
}

/** Training batches of sources with the shares that the configuration gives them; tells what each is of an epoch and of the run. */
export function mixedBatches(config: TrainConfig, sources: readonly NamedCorpus[], tell: RunTell): BatchSource {
  const { per_device_train_batch_size: batchSize, data_seed: seed, max_length } = config
  const strategy = config.mix_strategy ?? 'concat'
  for (const { name, corpus } of sources)
    if (corpus.length === 0)
      throw new ConfigError(
        `dataset: expected at least one block of ${max_length} tokens in each source, got ${counted(corpus.numTokens, 'token')} in ${name}. Give more text, leave it out, or lower max_length`,
      )
  const lengths = sources.map(({ corpus }) => corpus.length)
  const probabilities = config.interleave_probs
  const visits = mixVisits(lengths, { strategy, seed, ...(probabilities !== undefined && { probabilities }) })
  const rows = config.max_steps > 0 ? config.max_steps * config.gradient_accumulation_steps * batchSize : undefined
  const epochs = rows === undefined ? config.num_train_epochs : rows / visits.length
  for (const [i, { name, corpus }] of sources.entries()) {
    const perEpoch = visits.counts[i]! / lengths[i]!
    tell({
      type: 'notice',
      message: `source ${name}: ${counted(corpus.numDocuments, 'document')}, ${counted(corpus.numTokens, 'token')}; ${percent(visits.counts[i]! / visits.length)} of what is learnt; read ${times(perEpoch)} in an epoch, ${times(perEpoch * epochs)} in the run`,
    })
  }
  return batches(concatenated(sources.map(({ corpus }) => corpus)), { batchSize, visits })
}

const times = (count: number): string => `${Number(count.toPrecision(3))} ×`

/** Held-out batches of sets one after the other; no batch has rows of two. */
export function heldBatches(sets: readonly NamedCorpus[], batchSize: number): BatchSource {
  const sources = sets.map(({ corpus }) => batches(corpus, { batchSize, shuffle: false }))
  const only = sources.length === 1 && sets[0]!.name === undefined ? sources[0] : undefined
  if (only !== undefined) return only
  const batchesPerEpoch = sources.reduce((sum, source) => sum + source.batchesPerEpoch, 0)
  return {
    batchesPerEpoch,
    parts: sets.flatMap(({ name }, i) => (name === undefined ? [] : [{ name, batches: sources[i]!.batchesPerEpoch }])),
    at: (index) => {
      let rest = index % batchesPerEpoch
      const source = sources.find(({ batchesPerEpoch: count }) => {
        if (rest < count) return true
        rest -= count
        return false
      })
      return source!.at(rest)
    },
  }
}
