// The tokenizer of a model directory: whether it belongs to the weights, whether the files agree with each other, and whether an
// answer can end. What is asked of llama.cpp is whether it would give the same ids.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { TokenizerError } from '../errors.ts'
import { readBounded } from '../files/bounded-read.ts'
import { MAX_CONFIG_BYTES } from '../files/read-json.ts'
import { tokenizerMetadata } from '../gguf/tokenizer-metadata.ts'
import type { GenerationConfig } from '../infer/generation-config.ts'
import type { DecoderConfig } from '../model/config.ts'
import { beyondNotices } from '../text/beyond-notices.ts'
import { renderChat } from '../text/chat-template.ts'
import { Tokenizer } from '../text/tokenizer.ts'
import { readTokenizerFiles, type TokenizerFiles } from '../text/tokenizer-files.ts'
import type { Findings } from './finding.ts'

/** Checks the tokenizer's files against each other and against the model. */
export async function checkTokenizer(
  directory: string,
  config: DecoderConfig | undefined,
  generation: GenerationConfig,
  findings: Findings,
): Promise<void> {
  if (!existsSync(join(directory, 'tokenizer.json'))) {
    findings.warning(
      'tokenizer.json',
      'missing: the directory takes and gives token ids only. Copy it from the base model',
    )
    return
  }
  let files: TokenizerFiles
  let tokenizer: Tokenizer
  try {
    files = await readTokenizerFiles(directory)
    tokenizer = Tokenizer.fromFiles(files)
  } catch (error) {
    if (!(error instanceof TokenizerError)) throw error
    findings.error('tokenizer.json', error.message)
    return
  }
  checkSideTokens(tokenizer, findings)
  checkSpelling(directory, tokenizer, files, findings)
  checkEnds(tokenizer, config, generation, findings)
  if (config === undefined) return
  const fitting = tokenizer.fit(config.vocabSize)
  for (const notice of fitting === undefined ? [] : beyondNotices(fitting)) findings.notice('tokenizer.json', notice)
  if (fitting === undefined) {
    findings.error(
      'tokenizer.json',
      `${tokenizer.vocabSize} ids for ${config.vocabSize} rows of the embedding (vocab_size). Resize the embedding`,
    )
    return
  }
  const facts = { vocabSize: config.vocabSize, eosTokenIds: config.eosTokenIds, file: 'tokenizer.json' }
  try {
    tokenizerMetadata(tokenizer, facts)
    if (tokenizer.toJson().normalizer?.type === 'NFC') {
      findings.notice(
        'tokenizer.json:normalizer',
        'NFC, which llama.cpp leaves out: other ids for text with separate accents',
        'llama.cpp',
      )
    }
  } catch (error) {
    findings.error('tokenizer.json', (error as Error).message, 'llama.cpp')
  }
}

/** Transformers adds them, and so does Anneal. */
function checkSideTokens({ sideTokens }: Tokenizer, findings: Findings): void {
  if (sideTokens.length === 0) return
  const some = sideTokens.slice(0, 3).map((token) => JSON.stringify(token))
  const list = `${some.join(', ')}${sideTokens.length > some.length ? ', …' : ''}`
  findings.notice(
    'tokenizer.json:added_tokens',
    `without ${sideTokens.length} tokens (${list}) that only the files beside it have: what reads tokenizer.json alone splits them. \`anneal export --to hf\` writes them into it`,
  )
}

function checkSpelling(directory: string, tokenizer: Tokenizer, files: TokenizerFiles, findings: Findings): void {
  const merges = tokenizer.toJson().model.merges
  if (Array.isArray(merges) && Array.isArray(merges[0])) {
    findings.notice(
      'tokenizer.json:model.merges',
      'pairs, which readers before tokenizers 0.20 do not take. Texts ("a b") are read by all',
      'transformers',
      'vllm',
    )
  }
  const own = files.config?.chat_template
  const path = join(directory, 'chat_template.jinja')
  const file = existsSync(path) ? readBounded(path, MAX_CONFIG_BYTES).toString('utf8') : undefined
  if (typeof own === 'string' && file !== undefined && own !== file) {
    findings.warning(
      'chat_template.jinja',
      'another template than in tokenizer_config.json: which one counts depends on the program',
    )
  } else if (file !== undefined && own === undefined) {
    findings.notice(
      'tokenizer_config.json:chat_template',
      'missing beside chat_template.jinja: older readers see no template',
      'transformers',
      'vllm',
    )
  }
  if (tokenizer.chatTemplate === undefined) findings.notice('chat_template.jinja', 'missing: the model cannot chat')
}

/** The most common fault of published models: answers that never end. */
function checkEnds(
  tokenizer: Tokenizer,
  config: DecoderConfig | undefined,
  generation: GenerationConfig,
  findings: Findings,
): void {
  const { eosTokenId: eos, padTokenId: pad, bosTokenId: bos, chatTemplate } = tokenizer
  const ends = new Set(generation.eosTokenIds ?? config?.eosTokenIds ?? [])
  if (eos !== undefined && ends.size > 0 && !ends.has(eos)) {
    findings.warning(
      'generation_config.json:eos_token_id',
      `without ${eos} (${tokenizer.idToToken(eos)}), which tokenizer_config.json calls the end`,
    )
  }
  if (pad !== undefined && pad === eos) {
    findings.notice(
      'tokenizer_config.json:pad_token',
      'the same as eos_token: trainers that mask padding by its id never teach the end of an answer',
    )
  }
  if (chatTemplate === undefined) return
  let text: string
  try {
    const messages = [
      { role: 'user', content: 'Hello' },
      { role: 'assistant', content: 'Content2Q7x' },
    ]
    text = renderChat(chatTemplate, { messages, namedTokens: tokenizer.namedTokens })
  } catch (error) {
    if (!(error instanceof TokenizerError)) throw error
    findings.warning('chat_template.jinja', `does not render a question and an answer: ${error.message}`)
    return
  }
  const start = bos === undefined ? undefined : tokenizer.idToToken(bos)
  if (start !== undefined && text.startsWith(start) && tokenizer.encode('a')[0] === bos) {
    findings.notice(
      'chat_template.jinja',
      `begins with ${start}, which the tokenizer adds as well: programs that do both see it twice`,
    )
  }
  const rest = text.slice(text.lastIndexOf('Content2Q7x') + 11).trimStart()
  const [token, id] = [...tokenizer.specialTokens].find(([content]) => rest.startsWith(content)) ?? []
  if (token === undefined)
    findings.warning('chat_template.jinja', 'no control token after an answer: nothing tells the model to stop')
  else if (!ends.has(id!) && id !== eos) {
    findings.warning(
      'generation_config.json:eos_token_id',
      `without ${id} (${token}), which the chat template puts behind an answer: answers do not end`,
    )
  }
}
