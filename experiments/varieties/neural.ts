// The small models of the experiment, made here from nothing: an encoder (one layer of ModernBERT, mean-pooled) and a decoder (one layer
// of Llama, pooled at the last token). Both first learn the texts alone, then their labels.
import type { BatchSource } from '../../src/data/batch.ts'
import { batches } from '../../src/data/batches.ts'
import type { LabelSets } from '../../src/data/label-sets.ts'
import { maskedBatches } from '../../src/data/masking.ts'
import type { Dataset, Sample } from '../../src/data/sample.ts'
import { framedText } from '../../src/data/tuning/framed-text.ts'
import { type AnyModel, type Classifier, labelLogits } from '../../src/model/any-model.ts'
import { readModelConfig } from '../../src/model/config-read.ts'
import { Decoder, initialise } from '../../src/model/decoder.ts'
import { readEncoderConfig } from '../../src/model/encoder/config-read.ts'
import { Encoder } from '../../src/model/encoder/encoder.ts'
import { PooledDecoder } from '../../src/model/pooled-decoder.ts'
import { trainBpe } from '../../src/text/bpe.ts'
import { Tokenizer } from '../../src/text/tokenizer.ts'
import { Generator, noGrad, ops, scope, type Tensor } from '../../src/torch/index.ts'
import { classification } from '../../src/train/classification.ts'
import { maskedLanguageModeling } from '../../src/train/masked-lm.ts'
import { multiLabelClassification } from '../../src/train/multi-label-classification.ts'
import { languageModeling, type Objective } from '../../src/train/objective.ts'
import { makeSchedule } from '../../src/train/schedule.ts'
import { train } from '../../src/train/train.ts'
import { beginAsBayes } from './bayes-start.ts'

/** What was chosen on parts of the training sentences; see run.ts. */
export interface Settings {
  vocabulary: number
  hidden: number
  /** Added to the variance in every norm: with 0.05 a vector near zero, as a rare word's is, stays near zero. */
  normEps: number
  length: number
  mlmEpochs: number
  mlmRate: number
  epochs: number
  rate: number
  decay: number
  dropout: number
  /** Share of the tokens that are hidden while labels are learnt. */
  masked: number
  /** Of the running mean of weights that is kept in the end. */
  average: number
}

const SPECIAL = ['[PAD]', '[CLS]', '[SEP]', '[MASK]', '[UNK]']
const [PAD, MASK] = [0, 3]

/** Byte-pair encoding of the texts, with tokens around a text. */
export async function tokenizerOf(texts: readonly string[], vocabSize: number): Promise<Tokenizer> {
  const { json } = await trainBpe(texts, { vocabSize, specialTokens: SPECIAL })
  const special = (token: string): object => ({ SpecialToken: { id: token, type_id: 0 } })
  return Tokenizer.fromJson({
    ...json,
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    post_processor: {
      type: 'TemplateProcessing',
      single: [special('[CLS]'), { Sequence: { id: 'A', type_id: 0 } }, special('[SEP]')],
      pair: [{ Sequence: { id: 'A', type_id: 0 } }, { Sequence: { id: 'B', type_id: 1 } }],
      special_tokens: Object.fromEntries(
        ['[CLS]', '[SEP]'].map((token) => [token, { id: token, ids: [SPECIAL.indexOf(token)], tokens: [token] }]),
      ),
    },
  })
}

/** One kind of model on one tokenizer. */
export class Family {
  readonly kind: 'encoder' | 'decoder'
  readonly tokenizer: Tokenizer
  readonly settings: Settings

  constructor(kind: 'encoder' | 'decoder', tokenizer: Tokenizer, settings: Settings) {
    this.kind = kind
    this.tokenizer = tokenizer
    this.settings = settings
  }

  /** Weights after `mlmEpochs` over the texts, by name: masked language modelling, or a decoder's next tokens. */
  async pretrain(texts: readonly string[], seed: number, say: (line: string) => void): Promise<Map<string, Tensor>> {
    const { mlmEpochs, mlmRate } = this.settings
    const model = this.kind === 'encoder' ? Encoder.fresh(this.encoderConfig(), { seed }) : this.decoder(seed)
    const source = batches(
      this.samples(texts, (ids) => ids.slice()),
      { batchSize: 32, seed, padId: PAD },
    )
    const masked = maskedBatches(source, { ...this.masking, probability: 0.15, seed })
    const [seen, objective] =
      this.kind === 'encoder' ? [masked, maskedLanguageModeling()] : [withoutPadding(source), languageModeling()]
    const loss = await this.learn(model, seen, objective as Objective<never, never>, {
      epochs: mlmEpochs,
      rate: mlmRate,
      seed,
      average: 0,
    })
    say(`  ${this.kind}: ${mlmEpochs} epochs of texts, loss ${loss.toFixed(2)}`)
    return new Map(model.parameters())
  }

  /** A model that has learnt labels; `known` are weights to begin with. `labelOf` is the label, or the combination in `sets`, of each text. */
  async fineTune(
    texts: readonly string[],
    labelOf: readonly number[],
    labels: readonly string[],
    options: {
      seed: number
      known?: ReadonlyMap<string, Tensor>
      weights?: readonly number[]
      sets?: LabelSets
      asBayes?: boolean
      isUntrained?: boolean
    },
  ): Promise<Classifier> {
    const { seed, known, weights, sets } = options
    const model =
      this.kind === 'encoder'
        ? Encoder.fresh(this.encoderConfig(labels), { seed: seed + 100 })
        : this.pooled(seed + 100, labels)
    scope(() =>
      noGrad(() => {
        for (const [path, parameter] of model.parameters()) {
          const own = path.startsWith('model.') ? known?.get(path) : undefined
          if (own !== undefined) parameter.copy_(own)
        }
      }),
    )
    const data = this.samples(texts, (ids, i) => ids.map((_, place) => (place === 0 ? labelOf[i]! : -100)))
    if (options.asBayes && model instanceof Encoder) {
      const has = (label: number, id: number): boolean => sets?.of(id).includes(label) ?? label === id
      const isThere = labels.map((_, label) => labelOf.map((id) => has(label, id)))
      const ids = Array.from({ length: data.length }, (_, i) => data.get(i).ids)
      beginAsBayes(model, ids, isThere, (id) => id >= SPECIAL.length, seed)
    }
    const source = this.disturbed(batches(data, { batchSize: 32, seed, padId: PAD }), seed)
    const objective =
      sets === undefined ? classification(labels.length, weights) : multiLabelClassification(labels, sets, weights)
    const { epochs, rate, average } = this.settings
    if (!options.isUntrained)
      await this.learn(model, source, objective as Objective<never, never>, { epochs, rate, seed, average })
    return model
  }

  /** Logits of each text. */
  logits(model: Classifier, texts: readonly string[]): number[][] {
    const data = this.samples(texts, (ids) => ids.map(() => 0))
    const source = batches(data, { batchSize: 32, shuffle: false, padId: PAD })
    model.generator = null
    const rows: number[][] = []
    for (let i = 0; i < source.batchesPerEpoch; i++) {
      const values = scope(() => noGrad(() => labelLogits(model, source.at(i)).toArray()))
      const size = values.length / source.at(i).rows
      for (let start = 0; start < values.length; start += size) rows.push(values.slice(start, start + size))
    }
    return rows
  }

  private samples(texts: readonly string[], labelled: (ids: Int32Array, index: number) => Int32Array): Dataset<Sample> {
    const all = texts.map((text, i) => {
      const { ids } = framedText(this.tokenizer, text, this.settings.length)
      return { ids, labels: labelled(ids, i) }
    })
    return { length: all.length, get: (i) => all[i]! }
  }

  private get masking() {
    const { vocabSize } = this.tokenizer
    return { maskId: MASK, vocabSize, isSpecial: (id: number) => id < SPECIAL.length }
  }

  /** Hides some tokens of the texts whose labels are learnt: by the seed and the batch alone. */
  private disturbed(source: BatchSource, seed: number): BatchSource {
    const { masked } = this.settings
    const hidden =
      masked === 0
        ? source
        : maskedBatches(source, { ...this.masking, probability: masked, maskShare: 1, randomShare: 0, seed })
    return {
      ...source,
      at: (index) => {
        const { labels } = source.at(index)
        return { ...hidden.at(index), labels }
      },
    }
  }

  private async learn(
    model: AnyModel,
    source: BatchSource,
    objective: Objective<never, never>,
    { epochs, rate, seed, average }: Record<'epochs' | 'rate' | 'seed' | 'average', number>,
  ): Promise<number> {
    const steps = Math.round(source.batchesPerEpoch * epochs)
    const schedule = makeSchedule('cosine', { steps, warmupSteps: Math.round(steps / 10) } as never)
    model.trainable()
    const means = new Map<string, Tensor>()
    let loss = Number.NaN
    for await (const event of train(model as never, source as never, objective, {
      steps,
      learningRate: rate,
      schedule,
      seed,
      optimizer: { weightDecay: this.settings.decay },
    })) {
      if (event.type !== 'step-done') continue
      loss = event.metrics.loss
      if (average === 0) continue
      const { step } = event.metrics
      scope(() =>
        noGrad(() => {
          for (const [path, parameter] of model.parameters()) {
            const mean = means.get(path)
            if (mean === undefined) means.set(path, parameter.detach().clone().keep())
            else ops.lerp_(mean, parameter.detach(), 1 - Math.min(average, step / (step + 10)))
          }
        }),
      )
    }
    scope(() =>
      noGrad(() => {
        for (const [path, parameter] of model.parameters()) if (means.has(path)) parameter.copy_(means.get(path)!)
      }),
    )
    for (const mean of means.values()) mean.free()
    return loss
  }

  private encoderConfig(labels?: readonly string[]) {
    const { hidden, length, normEps, dropout } = this.settings
    return readEncoderConfig(
      {
        model_type: 'modernbert',
        vocab_size: this.tokenizer.vocabSize,
        hidden_size: hidden,
        intermediate_size: hidden,
        num_hidden_layers: 1,
        num_attention_heads: 2,
        max_position_embeddings: length,
        norm_eps: normEps,
        pad_token_id: PAD,
        classifier_pooling: 'mean',
        embedding_dropout: labels === undefined ? 0.1 : dropout,
        classifier_dropout: dropout,
      },
      'config',
      labels === undefined ? { kind: 'mlm' } : { kind: 'classify', labels },
    )
  }

  private decoderConfig(labels?: readonly string[]) {
    const { hidden, length, normEps } = this.settings
    const json = {
      model_type: 'llama',
      vocab_size: this.tokenizer.vocabSize,
      hidden_size: hidden,
      intermediate_size: hidden,
      num_hidden_layers: 1,
      num_attention_heads: 2,
      num_key_value_heads: 2,
      max_position_embeddings: length,
      rms_norm_eps: normEps,
      pad_token_id: PAD,
      tie_word_embeddings: true,
    }
    return readModelConfig(json, 'config', labels && { labels })
  }

  private decoder(seed: number): Decoder {
    return Decoder.fresh(this.decoderConfig(), { seed })
  }

  private pooled(seed: number, labels: readonly string[]): PooledDecoder {
    return new PooledDecoder(this.decoderConfig(labels), initialise(this.decoderConfig(labels), new Generator(seed)))
  }
}

/** What a decoder is to say next: the batch's own tokens, without those that fill rows up. */
function withoutPadding(source: BatchSource): BatchSource {
  return {
    ...source,
    at: (index) => {
      const batch = source.at(index)
      const labels = batch.inputIds.map((id, i) => (batch.attentionMask?.[i] === 0 ? -100 : id))
      return { ...batch, labels }
    },
  }
}
