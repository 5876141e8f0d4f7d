// The model of a stage that gives labels or says what was hidden: what it is, before and after its weights are read.
import {
  isEncoderDirectory,
  loadClassifier,
  loadClassifierConfig,
  type StoredLabels,
  storedLabels,
} from '../../checkpoint/model-directory/classifier-directory.ts'
import { loadEncoder, loadEncoderConfig } from '../../checkpoint/model-directory/encoder-directory.ts'
import { isHeadedStage } from '../../config/encoder-keys.ts'
import type { TrainConfig } from '../../config/schema.ts'
import { ConfigError } from '../../errors.ts'
import { isGguf } from '../../gguf/load-parts.ts'
import type { AnyModel } from '../../model/any-model.ts'
import { readModelConfig } from '../../model/config-read.ts'
import { initialise } from '../../model/decoder.ts'
import { isEncoderConfig, type ModelConfig } from '../../model/encoder/config.ts'
import { readEncoderConfig } from '../../model/encoder/config-read.ts'
import { Encoder, initialiseEncoder } from '../../model/encoder/encoder.ts'
import { isEncoderType } from '../../model/encoder/families.ts'
import { PooledDecoder } from '../../model/pooled-decoder.ts'
import type { Tokenizer } from '../../text/tokenizer.ts'
import { Generator } from '../../torch/index.ts'
import { isAdapter } from '../model-source.ts'

/** ConfigError where the stage cannot start from what `model_name_or_path` is. */
export function checkHeadedStart({ stage, model_name_or_path: path }: TrainConfig): void {
  if (!isHeadedStage(stage) || path === undefined) return
  const got = isGguf(path) ? 'a GGUF file' : isAdapter(path) ? 'an adapter' : undefined
  if (got !== undefined)
    throw new ConfigError(
      `model_name_or_path: expected the directory of a model with stage: ${stage}, got ${got}: ${path}. Make one of it first: anneal export --to hf --model ${path} --out DIR`,
    )
  if (stage === 'mlm' && !isEncoderDirectory(path))
    throw new ConfigError(
      `model_name_or_path: expected an encoder with stage: mlm, got a model that reads one way: ${path}. Use stage: pretrain for it`,
    )
}

/** What the model is, with the stage's head: read from its directory, or from the keys of a fresh one. Its labels may not be known yet. */
export function headedConfig(
  { stage, model_name_or_path: path, problem_type: problemType }: TrainConfig,
  fresh: Readonly<Record<string, unknown>>,
  file: string,
  labels: readonly string[] = [],
): ModelConfig {
  const wish = { labels, ...(problemType && { problemType }) }
  if (path !== undefined)
    return stage === 'mlm' ? loadEncoderConfig(path, { kind: 'mlm' }) : loadClassifierConfig(path, wish)
  if (stage === 'mlm') return readEncoderConfig(fresh, file, { kind: 'mlm' })
  return isEncoderType(fresh.model_type)
    ? readEncoderConfig(fresh, file, { kind: 'classify', ...wish })
    : readModelConfig(fresh, file, wish)
}

/** The labels that the model to go on from has already; undefined where it has none, or is new. */
export function ownLabels({ model_name_or_path: path }: TrainConfig): StoredLabels | undefined {
  return path === undefined ? undefined : storedLabels(path)
}

/** Loads or makes the model, on the device, in f32, with its `labels`; what its file lacks of the head is drawn, and `tell` hears of it. */
export function headedModel(
  config: TrainConfig,
  described: ModelConfig,
  tokenizer: Tokenizer,
  { labels, device, tell }: { labels: readonly string[]; device: string; tell: (message: string) => void },
): AnyModel {
  const { stage, seed, model_name_or_path: path, problem_type: problemType } = config
  const model = path === undefined ? fresh(described, seed, device) : load(path)
  // Transformers finds the end of a row by its padding.
  if (!isEncoderConfig(model.config) && model.config.padTokenId === null && 'lm_head' in model)
    model.config = { ...model.config, padTokenId: tokenizer.padTokenId ?? tokenizer.eosTokenId ?? 0 }
  return model

  function load(directory: string): AnyModel {
    const drawn: string[] = []
    const options = { device, seed, onDrawn: (module: string) => void drawn.push(module) }
    const loaded =
      stage === 'mlm'
        ? loadEncoder(directory, { ...options, head: { kind: 'mlm' } })
        : loadClassifier(directory, { ...options, labels, ...(problemType && { problemType }) })
    if (drawn.length > 0)
      tell(
        `${directory} has no ${drawn.join(', ')}: ${drawn.length === 1 ? 'it begins' : 'they begin'} with numbers drawn by the seed`,
      )
    return loaded
  }
}

/** Weights are drawn on the CPU, so that a seed means the same model on every device. */
function fresh(config: ModelConfig, seed: number, device: string): AnyModel {
  const generator = new Generator(seed)
  if (isEncoderConfig(config)) {
    const take = initialiseEncoder(config, generator)
    return new Encoder(config, (parameter) => take(parameter).to(device).keep())
  }
  const take = initialise(config, generator)
  return new PooledDecoder(config, (parameter) => take(parameter).to(device).keep())
}
