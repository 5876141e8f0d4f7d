// The small encoder of the experiment: ModernBERT's layer on bytes-pair tokens of the sentences, fresh, with a mean-pooled head.

import { batches } from '../../src/data/batches.ts'
import type { DynamicsTime } from '../../src/data/datamap/dynamics-files.ts'
import { LabelledSamples } from '../../src/data/tuning/labelled.ts'
import { type Classifier, labelLogits } from '../../src/model/any-model.ts'
import { readEncoderConfig } from '../../src/model/encoder/config-read.ts'
import { Encoder } from '../../src/model/encoder/encoder.ts'
import { withoutDropout } from '../../src/model/without-dropout.ts'
import { trainBpe } from '../../src/text/bpe.ts'
import { noGrad, scope } from '../../src/torch/index.ts'
import { classification } from '../../src/train/classification.ts'
import { LogitRecorder } from '../../src/train/logit-recorder.ts'
import { makeSchedule } from '../../src/train/schedule.ts'
import { train } from '../../src/train/train.ts'

/** Learns from some rows and says the logits, epoch after epoch, of others. */
export type Learn = (
  train: readonly number[],
  judged: readonly number[],
  gold: readonly number[],
  when: DynamicsTime,
  seed: number,
) => Promise<Map<number, number[]>>

const LENGTH = 64

export async function encoderDynamics(
  texts: readonly string[],
  { epochs, balanceOf }: { epochs: number; balanceOf: (labels: readonly number[]) => number[] },
): Promise<Learn> {
  const { tokenizer } = await trainBpe(texts, { vocabSize: 2000, specialTokens: ['[PAD]'] })
  const ids = texts.map((text) => Int32Array.from(tokenizer.encode(text)).slice(0, LENGTH))
  const config = readEncoderConfig(
    {
      model_type: 'modernbert',
      vocab_size: tokenizer.vocabSize,
      hidden_size: 32,
      intermediate_size: 64,
      num_hidden_layers: 1,
      num_attention_heads: 4,
      max_position_embeddings: LENGTH,
      pad_token_id: 0,
      local_attention: 16,
      classifier_pooling: 'mean',
      embedding_dropout: 0.3,
      classifier_dropout: 0.3,
    },
    'config',
    { kind: 'classify', labels: ['ES-AR', 'ES-ES'] },
  )
  const samplesOf = (indices: readonly number[], gold: readonly number[]): LabelledSamples => {
    const samples = new LabelledSamples()
    for (const index of indices) samples.add(ids[index]!, gold[index]!)
    return samples
  }
  return async (learnt, judged, gold, when, seed) => {
    const model = Encoder.fresh(config, { seed })
    model.trainable()
    const source = batches(samplesOf(learnt, gold), { batchSize: 32, seed })
    const held = batches(samplesOf(judged, gold), { batchSize: 64, shuffle: false })
    const recorder = new LogitRecorder(judged.length, 2)
    const plain = classification(2, balanceOf(learnt.map((index) => gold[index]!)))
    const steps = source.batchesPerEpoch * epochs
    const logits = new Map(judged.map((index) => [index, [] as number[]]))
    const isDuring = when === 'during'
    for await (const event of train(model, source, (isDuring ? recorder.around(plain) : plain) as never, {
      steps,
      learningRate: 3e-3,
      schedule: makeSchedule('cosine', { steps, warmupSteps: Math.round(steps / 10) } as never),
      seed,
      optimizer: { weightDecay: 0.1 },
      rules: isDuring ? [recorder.rule] : [],
    })) {
      if (event.type !== 'step-done' || event.metrics.step % source.batchesPerEpoch !== 0) continue
      if (!isDuring)
        for (let i = 0; i < held.batchesPerEpoch; i++) {
          const batch = held.at(i)
          withoutDropout(model, () =>
            noGrad(() => scope(() => recorder.keep(batch, labelLogits(model as Classifier, batch)))),
          )
        }
      for (const [place, index] of judged.entries())
        logits.get(index)!.push(...recorder.logits.subarray(2 * place, 2 * place + 2))
      recorder.clear()
    }
    model.free()
    return logits
  }
}
