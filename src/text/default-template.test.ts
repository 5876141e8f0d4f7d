import { describe, expect, it } from 'vitest'
import { TINY_CHAT_TEMPLATE, tinyTokenizer } from '../../test/tiny-model.ts'
import { encodeChat } from './chat-encoding.ts'
import { CHATML_TEMPLATE } from './chat-template.ts'
import { chatTemplateFor } from './default-template.ts'
import { Tokenizer } from './tokenizer.ts'

const EOS = 2
const chat = [
  { role: 'user', content: 'a' },
  { role: 'assistant', content: 'b' },
]

/** The tokenizer as a base model has it: no token of ChatML; `roles` as tokenizer_config.json would name them. */
function base(roles: object, isFramed = true): Tokenizer {
  const json = structuredClone(tinyTokenizer().toJson()) as {
    added_tokens: { content: string }[]
    post_processor: unknown
  }
  json.added_tokens = json.added_tokens.filter(({ content }) => !content.startsWith('<|'))
  if (!isFramed) json.post_processor = null
  return Tokenizer.fromJson(json, { roles })
}

describe('chatTemplateFor', () => {
  it("takes the tokenizer's own template", () => {
    expect(chatTemplateFor(tinyTokenizer(TINY_CHAT_TEMPLATE))).toBe(TINY_CHAT_TEMPLATE)
  })
  it('is ChatML where the tokenizer has its tokens, or nothing that ends a text', () => {
    expect(chatTemplateFor(tinyTokenizer())).toBe(CHATML_TEMPLATE)
    expect(chatTemplateFor(base({}))).toBe(CHATML_TEMPLATE)
  })
  it('ends turns with the end-of-text token of a base model, after the token that its texts start with', () => {
    const roles = { bos: '<s>', eos: '</s>' }
    const { ids, text, spans } = encodeChat(base(roles), chatTemplateFor(base(roles)), { messages: chat })
    expect(text).toBe('<s><|user|>\na</s>\n<|assistant|>\nb</s>\n')
    expect(ids[0]).toBe(1)
    expect(ids.filter((id) => id === EOS)).toHaveLength(2)
    expect(Array.from(ids.slice(spans[1]!.bodyStart, spans[1]!.end))).toEqual([5 + 98, EOS, 5 + 10])
    const plain = base({ eos: '</s>' }, false)
    expect(encodeChat(plain, chatTemplateFor(plain), { messages: chat }).text).toBe(
      '<|user|>\na</s>\n<|assistant|>\nb</s>\n',
    )
  })
})
