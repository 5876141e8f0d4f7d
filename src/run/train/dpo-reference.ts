// What preferences are compared with: nothing, the model with the adapter that the run starts from (or none), a second model, or
// numbers computed before the first step.
import type { TrainConfig } from '../../config/schema.ts'
import type { Dataset } from '../../data/sample.ts'
import type { Pair } from '../../data/tuning/preferences.ts'
import { ConfigError, InputError } from '../../errors.ts'
import { answerLogProbs, computeReference, precomputed, type Reference, referenceModel } from '../../methods/dpo/dpo.ts'
import type { Decoder } from '../../model/decoder.ts'
import { loadWeights } from '../load-model.ts'
import { modelSource } from '../model-source.ts'
import type { Finetuning } from './finetuning.ts'
import { readReference, referenceFile, writeReference } from './reference-cache.ts'
import type { RunWatch } from './run-events.ts'
import type { RunStart } from './stage-data.ts'
import { basePlan } from './starting-model.ts'

/** A reference and what it holds. */
export interface RunReference {
  readonly reference: Reference
  free(): void
}

/** The reference of a run over `pairs`; loads a second model or computes its numbers where the configuration says so. */
export async function referenceOf(
  config: TrainConfig,
  pairs: Dataset<Pair>,
  tuning: Finetuning,
  { isFresh, bf16 }: RunStart,
  watch: RunWatch,
): Promise<RunReference> {
  const { withStart } = tuning
  const isOwn = config.ref_model === undefined && withStart !== undefined
  const ownStart: Reference = (model, batch) => withStart!(() => answerLogProbs(model, batch))
  if (config.precompute_ref_log_probs !== true) {
    if (isOwn) return { reference: ownStart, free: () => {} }
    const other = secondModel(config, pairs, tuning)
    const bytes = Array.from(other.parameters(), ([, { numel }]) => 4 * numel).reduce((a, b) => a + b, 0)
    const message = `the reference is a second model in memory, ${(bytes / 2 ** 20).toFixed(0)} MiB. precompute_ref_log_probs: true does without`
    watch.tell({ type: 'notice', message })
    return { reference: referenceModel(other), free: () => other.free() }
  }
  const directory = config.ref_model ?? config.model_name_or_path!
  const adapter = isOwn ? (config.adapter_name_or_path ?? []) : []
  const plan = isOwn ? basePlan(config) : undefined
  const file = await referenceFile(modelSource(directory, adapter), pairs, {
    bf16,
    quantized: plan instanceof Map ? [...plan] : plan,
  })
  let values = readReference(file, pairs.length)
  if (values === undefined) {
    const isThere = isOwn || (config.ref_model === undefined && isFresh)
    const other = isThere ? undefined : secondModel(config, pairs, tuning)
    try {
      // Preferences are of answers: what is tuned continues texts.
      const ask = { model: other ?? (tuning.model as Decoder), reference: isOwn ? ownStart : answerLogProbs }
      values = await compute(ask, pairs, { bf16, batchSize: config.per_device_eval_batch_size }, watch)
    } finally {
      other?.free()
    }
    writeReference(file, values)
  } else watch.tell({ type: 'notice', message: `log-probabilities of the reference are taken from ${file}` })
  return { reference: precomputed(values), free: () => {} }
}

/** Asks about a few pairs at a time, so that a bar moves and a signal ends it. */
async function compute(
  { model, reference }: { model: Decoder; reference: Reference },
  pairs: Dataset<Pair>,
  { bf16, batchSize }: { bf16: boolean; batchSize: number },
  watch: RunWatch,
): Promise<Float32Array> {
  const values = await computeReference(model, pairs, { reference, batchSize, bf16 }, watch)
  const wrong = values.findIndex((value) => !Number.isFinite(value))
  if (wrong >= 0)
    throw new InputError(
      `reference: expected finite log-probabilities, got ${values[wrong]} for pair ${wrong >> 1}. Are the weights whole?`,
    )
  return values
}

/** Loads the reference; the model that the run began with is on disk also when the run is resumed. */
function secondModel(config: TrainConfig, pairs: Dataset<Pair>, { model }: Finetuning): Decoder {
  const source = modelSource(config.ref_model ?? config.model_name_or_path!)
  const prompt = source.adapters.find(({ config: { peft_type } }) => peft_type !== 'LORA')
  if (prompt !== undefined)
    throw new ConfigError(`ref_model: expected a model or a LoRA, got a soft prompt in ${prompt.directory}`)
  const { model: other } = loadWeights(source, { onto: 'dequantized', device: model.device, dtype: 'f32' })
  const { vocabSize } = other.config
  for (let i = 0; i < pairs.length; i++) {
    const { chosen, rejected } = pairs.get(i)
    const highest = Math.max(...[chosen, rejected].map(({ ids }) => ids.reduce((a, b) => Math.max(a, b), 0)))
    if (highest < vocabSize) continue
    other.free()
    throw new ConfigError(
      `ref_model: expected a model that knows the tokenizer's ids, got ${vocabSize} of them and id ${highest} in the data. Use one with the same tokenizer`,
    )
  }
  return other
}
