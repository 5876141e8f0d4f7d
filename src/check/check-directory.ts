// The rules of a Hugging Face model directory that Transformers 4 and 5, vLLM, llama.cpp and PEFT agree on, checked on anybody's.
// Nothing is computed and nothing is changed.

import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { hasPickleSuffix } from '../checkpoint/model-directory/foreign-format.ts'
import { readLineage } from '../checkpoint/model-directory/lineage.ts'
import { loadNgramModel, NGRAM_WEIGHTS, NGRAMS } from '../data/language/ngram-directory.ts'
import { TokenizerError } from '../errors.ts'
import { readJsonFile } from '../files/read-json.ts'
import { hasUnequalLayers } from '../gguf/architectures.ts'
import { modelMetadata } from '../gguf/model-metadata.ts'
import { type GenerationConfig, readGenerationConfig } from '../infer/generation-config.ts'
import type { DecoderConfig } from '../model/config.ts'
import { isObject, type JsonObject } from '../model/config-fields.ts'
import { readModelConfig } from '../model/config-read.ts'
import { readEncoderConfig } from '../model/encoder/config-read.ts'
import { isEncoderType } from '../model/encoder/families.ts'
import { textPartNotices } from '../model/text-part.ts'
import { Tokenizer } from '../text/tokenizer.ts'
import { hasTokenizer } from '../text/tokenizer-files.ts'
import { checkTokenizer } from './check-tokenizer.ts'
import { checkWeights } from './check-weights.ts'
import type { Findings } from './finding.ts'

/** Checks a model directory. */
export async function checkDirectory(directory: string, findings: Findings): Promise<void> {
  const file = 'config.json'
  const json = findings.attempt(file, () => readJsonFile(join(directory, file)))
  if (json !== undefined && !isObject(json as JsonObject)) findings.error(file, 'expected an object')
  if (isObject(json as JsonObject) && (json as JsonObject).model_type === NGRAMS) {
    findings.attempt(NGRAM_WEIGHTS, () => loadNgramModel(directory))
    checkRest(directory, findings)
    return
  }
  if (isHeaded(json)) {
    await checkHeaded(directory, json, findings)
    return
  }
  const config = json === undefined ? undefined : findings.attempt(file, () => readModelConfig(json, file))
  for (const notice of config === undefined ? [] : textPartNotices(config)) findings.notice(file, notice)
  const raw = config?.raw ?? (isObject(json as JsonObject) ? (json as JsonObject) : {})
  if (isObject(json as JsonObject)) checkSpelling(raw, findings)
  if (config !== undefined) checkExport(config, raw, findings)
  const generation = checkGeneration(directory, config, findings)
  checkWeights(directory, config, raw, findings)
  await checkTokenizer(directory, config, generation, findings)
  checkRest(directory, findings)
}

function checkRest(directory: string, findings: Findings): void {
  findings.attempt('lineage.json', () => readLineage(directory))
  for (const name of readdirSync(directory)) {
    if (hasPickleSuffix(name) && name !== 'training_args.bin') {
      findings.warning(name, 'a pickle file, which may run code when it is loaded. Keep safetensors only')
    }
  }
}

/** An encoder, or a decoder with a pooled head. */
function isHeaded(json: unknown): json is JsonObject {
  if (!isObject(json)) return false
  const names = Array.isArray(json.architectures) ? json.architectures : []
  return isEncoderType(json.model_type) || names.some((name) => String(name).endsWith('ForSequenceClassification'))
}

/** What continues no text: no token ends it, and nothing is exported of it. */
async function checkHeaded(directory: string, json: JsonObject, findings: Findings): Promise<void> {
  const file = 'config.json'
  const config = findings.attempt(file, () =>
    isEncoderType(json.model_type) ? readEncoderConfig(json, file) : readModelConfig(json, file, {}),
  )
  checkSpelling(json, findings)
  findings.error(`${file}:architectures`, 'a model that continues no text is not for llama.cpp', 'llama.cpp')
  checkWeights(directory, config, config?.raw ?? json, findings)
  if (!hasTokenizer(directory))
    findings.warning('tokenizer.json', 'missing: the directory takes token ids only. Copy it from the base model')
  else {
    const tokenizer = await Tokenizer.fromDirectory(directory).catch((error: unknown) => {
      if (!(error instanceof TokenizerError)) throw error
      findings.error('tokenizer.json', error.message)
      return undefined
    })
    if (tokenizer !== undefined && config !== undefined && tokenizer.fit(config.vocabSize) === undefined)
      findings.error(
        'tokenizer.json',
        `${tokenizer.vocabSize} ids for ${config.vocabSize} rows of the embedding (vocab_size). Resize the embedding`,
      )
  }
  checkRest(directory, findings)
}

/** Transformers 5 writes keys that 4 does not read. */
function checkSpelling(raw: JsonObject, findings: Findings): void {
  const scaling = isObject(raw.rope_parameters) ? raw.rope_parameters : undefined
  if (scaling !== undefined && raw.rope_theta === undefined) {
    findings.warning(
      'config.json:rope_parameters',
      'without rope_theta and rope_scaling: Transformers 4 takes its defaults, and answers get worse in silence. `anneal export --to hf` writes both',
      'transformers',
      'vllm',
    )
  }
  if (raw.dtype !== undefined && raw.torch_dtype === undefined) {
    findings.notice(
      'config.json:dtype',
      'without torch_dtype: Transformers 4 loads the weights as float32',
      'transformers',
    )
  }
  // The sizes of a wrapper that Anneal does not run are where its class wants them.
  const keys = isObject(raw.text_config)
    ? ['architectures', 'model_type']
    : ['architectures', 'model_type', 'vocab_size']
  for (const key of keys) {
    if ((raw[key] ?? null) === null) findings.error(`config.json:${key}`, 'missing; loaders choose by it')
  }
}

function checkExport(config: DecoderConfig, raw: JsonObject, findings: Findings): void {
  if (hasUnequalLayers(config)) {
    findings.error(
      'config.json:per_layer_config',
      'layers of unequal sizes: Anneal loads them, these do not',
      'vllm',
      'transformers',
    )
  }
  if (isObject(raw.quantization_config)) {
    findings.error(
      'config.json:quantization_config',
      'quantized by Anneal, for Anneal. Export with --to hf or --to gguf',
      'vllm',
      'transformers',
      'peft',
      'llama.cpp',
    )
  }
  try {
    for (const notice of modelMetadata(config).notices) findings.warning('config.json', notice, 'llama.cpp')
  } catch (error) {
    findings.error('config.json', (error as Error).message, 'llama.cpp')
  }
}

function checkGeneration(directory: string, config: DecoderConfig | undefined, findings: Findings): GenerationConfig {
  const file = 'generation_config.json'
  if (!existsSync(join(directory, file))) {
    findings.notice(file, 'missing: what ends an answer is then guessed from config.json')
    return {}
  }
  const generation = findings.attempt(file, () => readGenerationConfig(directory)) ?? {}
  if (generation.unfollowed !== undefined)
    findings.notice(
      file,
      `Anneal does not do what these keys ask for, and writes other text than Transformers: ${generation.unfollowed.join(', ')}`,
    )
  if (config === undefined) return generation
  const ends = generation.eosTokenIds ?? config.eosTokenIds
  if (ends.length === 0) findings.warning(`${file}:eos_token_id`, 'no token ends an answer, here or in config.json')
  for (const id of ends) {
    if (id >= config.vocabSize)
      findings.error(`${file}:eos_token_id`, `expected ids below ${config.vocabSize} (vocab_size), got ${id}`)
  }
  return generation
}
