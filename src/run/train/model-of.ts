// Configuration → tokenizer and model, fresh or loaded.
import type { LineageStep } from '../../checkpoint/model-directory/lineage.ts'
import { loadDecoder } from '../../checkpoint/model-directory/load.ts'
import { datedSteps } from '../../checkpoint/model-directory/write-model.ts'
import { isHeadedStage } from '../../config/encoder-keys.ts'
import { presetConfig } from '../../config/presets.ts'
import type { TrainConfig } from '../../config/schema.ts'
import { ConfigError } from '../../errors.ts'
import { hashOf } from '../../files/hash.ts'
import { readJsonFile } from '../../files/read-json.ts'
import { loadGguf } from '../../gguf/load-model.ts'
import { isGguf, loadGgufTokenizer } from '../../gguf/load-parts.ts'
import type { DecoderConfig } from '../../model/config.ts'
import { readModelConfig } from '../../model/config-read.ts'
import { Decoder, initialise } from '../../model/decoder.ts'
import type { ModelConfig } from '../../model/encoder/config.ts'
import { ENCODER_FAMILIES, isEncoderType } from '../../model/encoder/families.ts'
import { quantLinears } from '../../model/quantize-model.ts'
import { Tokenizer } from '../../text/tokenizer.ts'
import { Generator } from '../../torch/index.ts'
import { loadWeights } from '../load-model.ts'
import { modelSource, sourceConfig } from '../model-source.ts'
import { hashSource } from '../source-files.ts'
import { headedConfig } from './headed-model.ts'
import { basePlan } from './starting-model.ts'

/** The tokenizer, fitted to the model, a hash of all that decides its ids, and what the model is. */
export async function tokenizerOf(
  config: TrainConfig,
): Promise<{ tokenizer: Tokenizer; hash: string; model: ModelConfig }> {
  const own = await tokenizerAt(config.tokenizer_name_or_path!)
  const model = describedModel(config, own)
  const tokenizer = withEnd(config, fitted(own, model), model)
  // Ids that one model knows and another does not: what was packed for one is not taken for the other.
  const rows = tokenizer.beyond.length > 0 ? ` for ${model.vocabSize} rows` : ''
  return { tokenizer, hash: hashOf(JSON.stringify(tokenizer.toJson()) + rows), model }
}

/** Published models (GPT-2) may say in config.json alone which token ends a text; where it is a control token of their own tokenizer, it does. */
function withEnd(config: TrainConfig, tokenizer: Tokenizer, model: ModelConfig): Tokenizer {
  const { model_name_or_path: path, tokenizer_name_or_path: own, stage } = config
  if (tokenizer.eosTokenId !== undefined || path === undefined || path !== own || isHeadedStage(stage)) return tokenizer
  const tokens = model.eosTokenIds.map((id) => tokenizer.idToToken(id))
  const token = tokens.find((each) => each !== undefined && tokenizer.controlTokens.has(each))
  return token === undefined ? tokenizer : tokenizer.withRole('eos', token)
}

/** The tokenizer of a directory or of a GGUF file. */
async function tokenizerAt(path: string): Promise<Tokenizer> {
  if (!isGguf(path)) return Tokenizer.fromDirectory(path)
  const tokenizer = await loadGgufTokenizer(path)
  if (tokenizer !== undefined) return tokenizer
  throw new ConfigError(
    `tokenizer_name_or_path: expected a tokenizer, got ${path}, which has none. Give the directory of the model's tokenizer.json`,
  )
}

/** What the model of a configuration is, before its weights are read; of a classifier without its labels. */
export function describedModel(config: TrainConfig, tokenizer: Tokenizer): ModelConfig {
  const fresh = freshConfigOf(config, tokenizer)
  if (fresh !== undefined) return fresh
  return isHeadedStage(config.stage)
    ? headedConfig(config, {}, '')
    : sourceConfig(modelSource(config.model_name_or_path!))
}

/** The description of the fresh model that the configuration asks for, with `labels` if it gives some; undefined where it goes on from a directory. */
export function freshConfigOf(
  config: TrainConfig,
  tokenizer: Tokenizer,
  labels: readonly string[] = [],
): ModelConfig | undefined {
  if (config.model_name_or_path !== undefined) return undefined
  const given =
    config.config_path === undefined
      ? typeof config.model === 'string'
        ? presetConfig(config.model as never)
        : config.model!
      : (readJsonFile(config.config_path) as Record<string, unknown>)
  const ids = {
    bos_token_id: tokenizer.bosTokenId,
    eos_token_id: tokenizer.eosTokenId,
    pad_token_id: tokenizer.padTokenId,
  }
  const known = Object.fromEntries(Object.entries(ids).filter(([, id]) => id !== undefined))
  const json = paddedWithin({ vocab_size: tokenizer.vocabSize, ...known, ...given }, tokenizer)
  const file = config.config_path ?? 'model'
  const described = isHeadedStage(config.stage) ? headedConfig(config, json, file, labels) : readModelConfig(json, file)
  fitted(tokenizer, described)
  return described
}

/** A family's own padding id is one of its published tokenizer: where a smaller vocabulary has no such row, rows are filled up with an id that it has. */
function paddedWithin(json: Record<string, unknown>, tokenizer: Tokenizer): Record<string, unknown> {
  const { model_type: type, vocab_size: size } = json
  if (json.pad_token_id !== undefined || !isEncoderType(type)) return json
  return ENCODER_FAMILIES[type].padTokenId < Number(size) ? json : { ...json, pad_token_id: tokenizer.eosTokenId ?? 0 }
}

/** Loads or makes the model, on the device, in f32. `directory` (a checkpoint) wins over the configuration. */
export function modelOf(
  config: TrainConfig,
  tokenizer: Tokenizer,
  device: string,
  directory?: string,
): { model: Decoder; merged: LineageStep[] } {
  const fresh = directory === undefined ? (freshConfigOf(config, tokenizer) as DecoderConfig | undefined) : undefined
  if (fresh === undefined) {
    const quantize = basePlan(config)
    const path = directory ?? config.model_name_or_path!
    const source = modelSource(path)
    const { model, steps } =
      source.adapters.length > 0
        ? loadWeights(source, { onto: 'dequantized', device, dtype: 'f32' })
        : source.isGguf
          ? { model: loadGguf(path, { device }), steps: [] }
          : { model: loadDecoder(path, { device, ...(quantize && { quantize }) }), steps: [] }
    fitted(tokenizer, model.config)
    checkTrainable(model, config)
    return { model, merged: steps.length > 0 ? datedSteps(steps, hashSource(source), source.base) : [] }
  }
  // Weights are drawn on the CPU, so that a seed means the same model on every device.
  const take = initialise(fresh, new Generator(config.seed))
  return { model: new Decoder(fresh, (parameter) => take(parameter).to(device).keep()), merged: [] }
}

function checkTrainable(model: Decoder, { finetuning }: TrainConfig): void {
  if ((finetuning !== 'full' && finetuning !== 'freeze') || quantLinears(model).size === 0) return
  throw new ConfigError(
    `model_name_or_path: expected full-precision weights with finetuning: ${finetuning}, got quantized ones. Use finetuning: lora`,
  )
}

function fitted(tokenizer: Tokenizer, model: ModelConfig): Tokenizer {
  const fitting = tokenizer.fit(model.vocabSize)
  if (fitting !== undefined) return fitting
  throw new ConfigError(
    `tokenizer_name_or_path: expected at most the model's ${model.vocabSize} ids (vocab_size), got ${tokenizer.vocabSize}. Use the model's own tokenizer`,
  )
}
