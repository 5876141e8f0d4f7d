import { describe, expect, it } from 'vitest'
import { tinyTokenizer } from '../../test/tiny-model.ts'
import { encodeChat } from './chat-encoding.ts'
import { parseTemplate } from './chat-template.ts'
import { generationPrompt } from './generation-prompt.ts'

const prompt = (template: string, tokens: string[] = []): string =>
  generationPrompt(parseTemplate(template), { messages: [], eosToken: '</s>' }, new Set(tokens))

const TURNS = "{% for m in messages %}{{ '<|' + m.role + '|>' + m.content + '<|end|>' }}{% endfor %}"

describe('generationPrompt', () => {
  it('is what a rendering that asks for an answer has more', () => {
    expect(prompt(`${TURNS}{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}`)).toBe('<|assistant|>')
    expect(prompt(TURNS)).toBe('')
  })

  it('is there too where a template ends a chat without one in another way, as that of Phi-3 does', () => {
    const template = `${TURNS}{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% else %}{{ '<|endoftext|>' }}{% endif %}`
    expect(prompt(template, ['<|assistant|>', '<|endoftext|>', '<|end|>'])).toBe('<|assistant|>\n')
    expect(prompt(template.replace("'<|endoftext|>'", 'eos_token'), ['</s>'])).toBe('<|assistant|>\n')
  })

  it('is nothing for a template that refuses a lone question', () => {
    expect(prompt("{{ raise_exception('no') }}")).toBe('')
  })

  it('is not learnt where the last token of a chat is another', () => {
    const tokenizer = tinyTokenizer()
    const template =
      "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>' }}{% endfor %}{{ '<|im_start|>assistant\\n' if add_generation_prompt else eos_token }}"
    const messages = ['a', 'b', 'c', 'd'].map((content, i) => ({ role: i % 2 === 0 ? 'user' : 'assistant', content }))
    const { ids, spans } = encodeChat(tokenizer, template, { messages })
    const bodies = spans.map((span) => tokenizer.decode(ids.subarray(span!.bodyStart, span!.end)))
    expect([bodies[1], bodies[3]]).toEqual(['b<|im_end|>', 'd<|im_end|>'])
  })
})
