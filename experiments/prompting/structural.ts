// Whether control tokens that a message spells become control tokens: counted in the ids of real tokenizers, to which the control tokens of
// six families are added where they lack them.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { encodeChatIds } from '../../src/text/chat-encoding.ts'
import { CHATML_TEMPLATE, renderChat } from '../../src/text/chat-template.ts'
import { Tokenizer } from '../../src/text/tokenizer.ts'
import type { Attack } from './attacks.ts'

const CONTROLS = [
  ['<|im_start|>', '<|im_end|>'],
  ['<|start_header_id|>', '<|end_header_id|>', '<|eot_id|>'],
  ['[INST]', '[/INST]', '<s>', '</s>'],
  ['<start_of_turn>', '<end_of_turn>'],
  ['<｜User｜>', '<｜Assistant｜>', '<｜end▁of▁sentence｜>'],
  ['<|system|>', '<|user|>', '<|end|>'],
].flat()

export interface Smuggled {
  tokenizer: string
  /** Attacks whose text spells a control token. */
  spelling: number
  /** Those of them whose ids have more control tokens than the template wrote. */
  naive: number
  ours: number
}

/** Counts over all attacks, for each tokenizer of the folder. */
export function structuralAttacks(attacks: readonly Attack[], folder: string): Smuggled[] {
  return ['qwen2', 'llama2', 'gpt2'].map((name) => {
    const json = JSON.parse(readFileSync(join(folder, name, 'tokenizer.json'), 'utf8'))
    return { tokenizer: name, ...smuggled(attacks, withControls(json)) }
  })
}

export function smuggled(attacks: readonly Attack[], tokenizer: Tokenizer): Omit<Smuggled, 'tokenizer'> {
  const controls = new Set(
    [...tokenizer.controlTokens].map(
      (token) => tokenizer.encode(token, { allowSpecial: true, addSpecialTokens: false })[0]!,
    ),
  )
  const count = (ids: ArrayLike<number>): number => Array.from(ids).filter((id) => controls.has(id)).length
  const chat = (content: string) => ({ messages: [{ role: 'user', content }], addGenerationPrompt: true })
  const own = count(encodeChatIds(tokenizer, CHATML_TEMPLATE, chat('Hi')))
  const naiveOf = (text: string): number =>
    count(tokenizer.encode(renderChat(CHATML_TEMPLATE, chat(text)), { allowSpecial: true, addSpecialTokens: false }))
  const spelling = attacks.filter(({ text }) => CONTROLS.some((token) => text.includes(token)))
  return {
    spelling: spelling.length,
    naive: spelling.filter(({ text }) => naiveOf(text) > own).length,
    ours: attacks.filter(({ text }) => count(encodeChatIds(tokenizer, CHATML_TEMPLATE, chat(text))) !== own).length,
  }
}

interface Json {
  added_tokens?: { id: number; content: string }[]
  model: { vocab: Record<string, number> }
}

export function withControls(json: Json): Tokenizer {
  const added = json.added_tokens ?? []
  const known = new Set(added.map(({ content }) => content))
  let next =
    Object.values(json.model.vocab)
      .concat(added.map(({ id }) => id))
      .reduce((a, b) => Math.max(a, b), 0) + 1
  const more = CONTROLS.filter((content) => !known.has(content)).map((content) => ({
    id: json.model.vocab[content] ?? next++,
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  }))
  return Tokenizer.fromFiles({ tokenizer: JSON.stringify({ ...json, added_tokens: [...added, ...more] }) } as never)
}
