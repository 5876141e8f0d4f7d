// The rules of a GGUF file: what llama.cpp needs to load it, and what makes it answer badly although it loads.

import { architectureOf, ggufParameters } from '../gguf/architectures.ts'
import { GGML_TYPES } from '../gguf/ggml-types.ts'
import { booleanAt, integerAt, numbersAt, stringAt, stringsAt } from '../gguf/metadata-fields.ts'
import { configFromGguf } from '../gguf/model-config.ts'
import { type GgufHeader, readGguf } from '../gguf/read.ts'
import { tokenizerFromMetadata } from '../gguf/tokenizer-from-metadata.ts'
import { TOKEN_TYPE } from '../gguf/tokenizer-metadata.ts'
import type { Findings } from './finding.ts'

/** Checks a GGUF file: a model, or an adapter. */
export function checkGguf(file: string, findings: Findings): void {
  const header = findings.attempt(file, () => readGguf(file))
  if (header === undefined) return
  const { metadata } = header
  if (!metadata.has('general.architecture')) findings.error('general.architecture', 'missing; loaders choose by it')
  if (!metadata.has('general.name')) findings.notice('general.name', 'missing: programs show the file name')
  const kind = findings.attempt('general.type', () => stringAt(header, 'general.type')) ?? 'model'
  if (kind === 'adapter') {
    checkAdapter(header, findings)
    return
  }
  const isQuantized = [...header.tensors.values()].some(({ type }) => GGML_TYPES[type].blockSize > 1)
  if (isQuantized && !metadata.has('general.quantization_version')) {
    findings.warning('general.quantization_version', 'missing beside quantized tensors')
  }
  for (const [name, { type, shape }] of header.tensors) {
    if (shape.length === 1 && type !== 'F32')
      findings.warning(name, `a vector in ${type}; llama.cpp wants norms and biases in F32`)
    if (shape.includes(0)) findings.error(name, `an empty tensor [${shape}]`)
  }
  checkModel(header, findings)
  findings.attempt('tokenizer.ggml', () => checkTokens(header, findings))
}

function checkModel(header: GgufHeader, findings: Findings): void {
  const config = findings.attempt('general.architecture', () => configFromGguf(header))
  if (config === undefined) return
  const unread = new Set([...header.tensors.keys()].filter((name) => !name.startsWith('rope_f')))
  for (const { name, shape } of ggufParameters(config, architectureOf(config))) {
    const found = header.tensors.get(name)
    if (found === undefined) findings.error(name, `missing [${shape}]`)
    else if (found.shape.join() !== shape.join())
      findings.error(name, `expected [${shape}] as in the metadata, got [${found.shape}]`)
    unread.delete(name)
  }
  for (const name of unread) findings.error(name, 'not a tensor of this architecture: llama.cpp refuses the file')
}

function checkTokens(header: GgufHeader, findings: Findings): void {
  const kind = stringAt(header, 'tokenizer.ggml.model')
  if (kind === undefined || kind === 'no_vocab' || kind === 'none') {
    findings.warning('tokenizer.ggml.model', 'no tokenizer: only ids go in and out')
    return
  }
  const tokens = stringsAt(header, 'tokenizer.ggml.tokens') ?? []
  const rows = header.tensors.get('token_embd.weight')?.shape[0]
  if (rows !== undefined && tokens.length !== rows) {
    findings.error('tokenizer.ggml.tokens', `${tokens.length} tokens for ${rows} rows of the embedding`)
  }
  const types = numbersAt(header, 'tokenizer.ggml.token_type', tokens.length)
  if (types === undefined)
    findings.warning('tokenizer.ggml.token_type', 'missing: control tokens are ordinary text then')
  if (kind === 'gpt2' && stringAt(header, 'tokenizer.ggml.pre') === undefined) {
    findings.error('tokenizer.ggml.pre', 'missing: llama.cpp takes a default that cuts words in other places')
  }
  for (const role of ['bos', 'eos', 'eot', 'unknown', 'padding']) {
    const key = `tokenizer.ggml.${role}_token_id`
    const id = integerAt(header, key)
    if (id === undefined) {
      if (role === 'eos')
        findings.warning(key, 'missing: llama.cpp takes a default id, in a gpt2 vocabulary an ordinary token')
    } else if (id >= tokens.length) findings.error(key, `expected an id below ${tokens.length}, got ${id}`)
    else if (types?.[id] === TOKEN_TYPE.normal)
      findings.warning(key, `${id} (${tokens[id]}) is an ordinary token, which text can contain`)
  }
  const template = stringAt(header, 'tokenizer.chat_template')
  if (template === undefined)
    findings.notice('tokenizer.chat_template', 'missing: programs guess how chats are put together')
  const bos = integerAt(header, 'tokenizer.ggml.bos_token_id')
  const isAdded = booleanAt(header, 'tokenizer.ggml.add_bos_token')
  if (isAdded === undefined)
    findings.notice('tokenizer.ggml.add_bos_token', 'missing: what programs do then depends on their version')
  if (
    template !== undefined &&
    isAdded &&
    bos !== undefined &&
    (/bos_token/.test(template) || template.includes(tokens[bos] ?? '\0'))
  ) {
    findings.notice(
      'tokenizer.chat_template',
      'names the start token, which is added as well: programs that do both see it twice',
    )
  }
  findings.attempt('tokenizer.ggml', () => tokenizerFromMetadata(header))
}

function checkAdapter(header: GgufHeader, findings: Findings): void {
  if (stringAt(header, 'adapter.type') !== 'lora') findings.error('adapter.type', 'expected lora')
  if (!header.metadata.has('adapter.lora.alpha'))
    findings.error('adapter.lora.alpha', 'missing: the scale is not known')
  for (const name of header.tensors.keys()) {
    const other = name.endsWith('.lora_a') ? name.replace(/a$/, 'b') : name.replace(/b$/, 'a')
    if (!/\.weight\.lora_[ab]$/.test(name))
      findings.error(name, 'expected a name that ends in .weight.lora_a or .weight.lora_b')
    else if (!header.tensors.has(other)) findings.error(name, `${other} is missing`)
  }
}
