// The weights of a model directory: every tensor that the configuration promises, none besides, a tied head once, and what loaders
// insist on in the files' headers. All values are read, since one that is NaN spoils every answer.

import { closeSync, openSync, readSync } from 'node:fs'
import { basename, join } from 'node:path'
import { type ModelWeights, secondSet } from '../checkpoint/model-directory/model-weights.ts'
import { readQuantization } from '../checkpoint/model-directory/quantization-config.ts'
import { openTextWeights } from '../checkpoint/model-directory/text-weights.ts'
import type { TensorInfo } from '../checkpoint/safetensors/safetensors.ts'
import type { JsonObject } from '../model/config-fields.ts'
import type { ModelConfig } from '../model/encoder/config.ts'
import { checkpointTensors, isIgnoredBuffer, tiedTo } from '../model/hf-names.ts'
import type { Findings } from './finding.ts'
import { checkFinite } from './non-finite.ts'

const CHUNK_BYTES = 1 << 22

/** Checks the files of weights against the configuration, where that could be read. */
export function checkWeights(
  directory: string,
  config: ModelConfig | undefined,
  raw: JsonObject,
  findings: Findings,
): void {
  const second = secondSet(directory)
  if (second !== undefined) findings.warning('model.safetensors', second)
  const weights = findings.attempt('model.safetensors', () => openTextWeights(directory, config ?? {}))
  if (weights === undefined) return
  const file = basename(weights.files[0]!)
  if (weights.metadata.get('format') !== 'pt') {
    findings.error(
      `${file}:__metadata__.format`,
      'expected "pt"; Transformers does not load files without it',
      'transformers',
      'peft',
    )
  }
  const dtypes = new Set([...weights.tensors.values()].map(({ dtype }) => dtype))
  if (dtypes.size > 1) findings.notice(file, `tensors of several types: ${[...dtypes].sort().join(', ')}`)
  for (const [name, { shape }] of weights.tensors) {
    if (shape.includes(0)) findings.error(`${file}:${name}`, `an empty tensor [${shape}]. Save the model again`)
  }
  checkFinite(weights.tensors, findings)
  if (config === undefined) return
  const formats = findings.attempt('config.json:quantization_config', () =>
    readQuantization(raw, join(directory, 'config.json')),
  )
  if (formats?.size === 0) checkTensors(weights, file, config, findings)
}

function checkTensors(weights: ModelWeights, file: string, config: ModelConfig, findings: Findings): void {
  const unread = new Set(weights.tensors.keys())
  for (const { name, aliases, shape } of checkpointTensors(config)) {
    const found = [name, ...aliases].find((candidate) => weights.tensors.has(candidate))
    if (found === undefined) {
      const advice = /lm_head|embed_out/.test(name) ? ', and tie_word_embeddings is false' : ''
      findings.error(`${file}:${name}`, `missing [${shape}]${advice}`)
      continue
    }
    unread.delete(found)
    const got = weights.tensors.get(found)!.shape
    if (got.join() !== shape.join())
      findings.error(`${file}:${found}`, `expected [${shape}] as in config.json, got [${got}]`)
  }
  for (const name of unread) {
    if (isIgnoredBuffer(config.modelType, name)) findings.notice(`${file}:${name}`, 'a buffer that nobody reads')
    else if (tiedTo(config, name) === undefined) findings.error(`${file}:${name}`, 'not a tensor of this architecture')
    else checkTiedHead(weights, file, name, config, findings)
  }
}

function checkTiedHead(
  { tensors }: ModelWeights,
  file: string,
  head: string,
  config: ModelConfig,
  findings: Findings,
): void {
  const { name, aliases } = checkpointTensors(config)[0]!
  const embedding = [name, ...aliases].map((candidate) => tensors.get(candidate)).find((info) => info !== undefined)
  if (embedding === undefined) return
  if (findings.headersOnly) {
    findings.notice(
      `${file}:${head}`,
      'beside the embedding although tie_word_embeddings is true: needless if it is a copy, lost by loaders if not, which headers do not tell',
    )
  } else if (haveSameBytes(embedding, tensors.get(head)!)) {
    findings.notice(`${file}:${head}`, 'a copy of the embedding, which tie_word_embeddings makes needless')
  } else {
    findings.error(
      `${file}:${head}`,
      'other values than the embedding although tie_word_embeddings is true: loaders drop one of them. Set it to false',
    )
  }
}

function haveSameBytes(a: TensorInfo, b: TensorInfo): boolean {
  if (a.dtype !== b.dtype || a.end - a.begin !== b.end - b.begin) return false
  const [first, second] = [openSync(a.file, 'r'), openSync(b.file, 'r')]
  const [mine, theirs] = [Buffer.alloc(CHUNK_BYTES), Buffer.alloc(CHUNK_BYTES)]
  try {
    for (let done = 0; done < a.end - a.begin; done += CHUNK_BYTES) {
      const length = Math.min(CHUNK_BYTES, a.end - a.begin - done)
      readSync(first, mine, 0, length, a.begin + done)
      readSync(second, theirs, 0, length, b.begin + done)
      if (!mine.subarray(0, length).equals(theirs.subarray(0, length))) return false
    }
    return true
  } finally {
    closeSync(first)
    closeSync(second)
  }
}
