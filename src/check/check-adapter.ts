// The rules of a PEFT adapter directory, and which programs load it: vLLM and llama.cpp take plain LoRA on linear layers only.

import { basename, join } from 'node:path'
import { parseAdapterConfig } from '../checkpoint/adapter/adapter-config.ts'
import { findBaseModel } from '../checkpoint/adapter/base-model.ts'
import { openModelWeights } from '../checkpoint/model-directory/model-weights.ts'
import type { TensorInfo } from '../checkpoint/safetensors/safetensors.ts'
import { readJsonFile } from '../files/read-json.ts'
import type { Findings } from './finding.ts'
import { checkFinite } from './non-finite.ts'

const FILE = 'adapter_config.json'
/** vLLM's default of `--max-lora-rank`. */
const VLLM_RANK = 16
const MERGE = 'Merge it: anneal export --adapter'

/** Checks an adapter directory. */
export function checkAdapter(directory: string, findings: Findings): void {
  const json = findings.attempt(FILE, () => readJsonFile(join(directory, FILE)))
  const raw = (typeof json === 'object' && json !== null ? json : {}) as Record<string, unknown>
  if (json !== undefined) findings.attempt(FILE, () => parseAdapterConfig(json, FILE))
  if (raw.base_model_name_or_path == null)
    findings.notice(`${FILE}:base_model_name_or_path`, 'missing: nobody can tell which model it belongs to')
  else if (!findings.isBaseThere) checkBase(directory, String(raw.base_model_name_or_path), findings)
  if (raw.peft_type !== 'LORA') {
    findings.error(`${FILE}:peft_type`, `${String(raw.peft_type)} is not served by these`, 'vllm', 'llama.cpp')
  } else checkLora(raw, findings)
  const weights = findings.attempt('adapter_model.safetensors', () => openModelWeights(directory, 'adapter_model'))
  if (weights === undefined) return
  const file = basename(weights.files[0]!)
  if (weights.metadata.get('format') !== 'pt') {
    findings.error(`${file}:__metadata__.format`, 'expected "pt"', 'transformers', 'peft')
  }
  checkFinite(weights.tensors, findings)
  if (raw.peft_type === 'LORA') checkTensors(weights.tensors, file, raw, findings)
  else if (!weights.tensors.has('prompt_embeddings'))
    findings.error(`${file}:prompt_embeddings`, 'missing; a soft prompt is one tensor of this name')
}

/** A name on a hub is not looked up there: that it is no folder here is a notice, of a path a warning. */
function checkBase(directory: string, base: string, findings: Findings): void {
  if (/\.gguf$/i.test(base))
    findings.warning(
      `${FILE}:base_model_name_or_path`,
      'a GGUF file, which PEFT does not load by itself. Make a directory of it: anneal export --to hf --model FILE.gguf, and give that to PEFT',
      'peft',
    )
  const { found, tried } = findBaseModel(directory, base)
  if (found !== undefined) return
  const message = `${JSON.stringify(base)} is not there (looked for ${tried.join(' and ')})`
  const isName = /^[\w.-]+\/[\w.-]+$/.test(base) && !base.startsWith('.')
  if (isName) findings.notice(`${FILE}:base_model_name_or_path`, `${message}; it may be the name of a model on a hub`)
  else findings.warning(`${FILE}:base_model_name_or_path`, `${message}: the adapter loads with its model given alone`)
}

function checkLora(raw: Record<string, unknown>, findings: Findings): void {
  for (const key of ['r', 'lora_alpha', 'target_modules']) {
    if (raw[key] === undefined) findings.error(`${FILE}:${key}`, 'missing', 'vllm')
  }
  const ranks = [raw.r, ...Object.values((raw.rank_pattern ?? {}) as object)].filter((rank) => typeof rank === 'number')
  const highest = Math.max(0, ...ranks)
  if (highest > VLLM_RANK)
    findings.warning(`${FILE}:r`, `rank ${highest}: start vLLM with --max-lora-rank ${highest}`, 'vllm')
  if (raw.use_dora === true) findings.error(`${FILE}:use_dora`, `DoRA is not loaded. ${MERGE}`, 'vllm', 'llama.cpp')
  if (Array.isArray(raw.modules_to_save) && raw.modules_to_save.length > 0) {
    findings.error(`${FILE}:modules_to_save`, `whole modules are not loaded. ${MERGE}`, 'vllm', 'llama.cpp')
  }
  if (raw.use_rslora === true) {
    findings.warning(
      `${FILE}:use_rslora`,
      'converters take alpha/r and weaken it; `anneal export --adapter-only` writes the right scale',
      'llama.cpp',
    )
  }
  for (const key of ['rank_pattern', 'alpha_pattern']) {
    const size = Object.keys((raw[key] ?? {}) as object).length
    if (size > 0) findings.warning(`${FILE}:${key}`, `several ranks or scales. ${MERGE}`, 'vllm')
  }
}

function checkTensors(
  tensors: ReadonlyMap<string, TensorInfo>,
  file: string,
  raw: Record<string, unknown>,
  findings: Findings,
): void {
  const pairs = new Map<string, { A?: TensorInfo; B?: TensorInfo }>()
  for (const [name, info] of tensors) {
    const found = /^base_model\.model\.(.+)\.lora_([AB])\.weight$/.exec(name)
    if (found !== null) {
      const [, module, side] = found
      pairs.set(module!, { ...pairs.get(module!), [side!]: info })
      if (/(^|\.)(lm_head|embed_tokens|embed_out|wte)$/.test(module!)) {
        findings.error(
          `${file}:${name}`,
          `an adapter on the embedding or the head is not loaded. ${MERGE}`,
          'llama.cpp',
        )
      }
    } else if (!name.startsWith('base_model.model.')) {
      findings.error(
        `${file}:${name}`,
        'expected a name that begins with base_model.model.; PEFT ignores others in silence',
      )
    } else if (/\.lora_[AB]\..+\.weight$/.test(name)) {
      findings.error(`${file}:${name}`, 'has the name of the adapter in it, which is left out in files')
    } else if (!/lora_(?:magnitude_vector|embedding_[AB])/.test(name)) {
      findings.error(
        `${file}:${name}`,
        `a whole weight [${info.shape}] beside the adapter. ${MERGE}`,
        'vllm',
        'llama.cpp',
      )
    }
  }
  if (pairs.size === 0) findings.error(file, 'no lora_A and lora_B at all')
  for (const [module, { A, B }] of pairs) {
    if (A === undefined || B === undefined)
      findings.error(`${file}:${module}`, `lora_${A === undefined ? 'A' : 'B'} is missing`)
    else if (A.shape[0] !== B.shape[1])
      findings.error(`${file}:${module}`, `lora_A has rank ${A.shape[0]}, lora_B ${B.shape[1]}`)
    else if (
      typeof raw.r === 'number' &&
      A.shape[0] !== raw.r &&
      Object.keys((raw.rank_pattern ?? {}) as object).length === 0
    ) {
      findings.error(`${file}:${module}`, `rank ${A.shape[0]}, but ${FILE} says r ${raw.r}`)
    }
  }
}
