import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { UsageError } from '../../errors.ts'
import { encodeChatIds } from '../../text/chat-encoding.ts'
import type { ChatInput } from '../../text/chat-template.ts'
import { Tokenizer } from '../../text/tokenizer.ts'
import { messagesOf, type PromptText, prompt, quote } from './prompt.ts'

const read = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`../../../test/fixtures/text/${name}.json`, import.meta.url), 'utf8'))
const chats = (read('chats') as { templates: Record<string, string> }).templates
const families = (read('jinja/families') as { templates: Record<string, string> }).templates

/** Templates of families, in the arrangement of the fixtures, and the control tokens that they, their calls and their BOS have. */
const FAMILIES: readonly [name: string, template: string, tokens: readonly string[]][] = [
  ['ChatML', chats.chatml!, ['<|im_start|>', '<|im_end|>', '<|endoftext|>']],
  ['Llama 2', chats.llama2!, ['<s>', '</s>', '[INST]', '[/INST]', '<<SYS>>']],
  ['Llama 3', families['header-and-date']!, ['<|begin|>', '<|head|>', '<|/head|>', '<|eot|>', '<|python_tag|>']],
  [
    'Mistral',
    families['alternating-with-call-ids']!,
    ['<s>', '</s>', '[INST]', '[/INST]', '[TOOL_CALLS]', '[AVAILABLE_TOOLS]'],
  ],
  ['Gemma 3', families['parts-and-images']!, ['<bos>', '<turn>', '<end>', '<image>', '<start_function_call>']],
  [
    'Qwen 3',
    families['thoughts-of-the-last-turn']!,
    ['<|im_start|>', '<|im_end|>', '<tool_call>', '</tool_call>', '<think>', '</think>'],
  ],
  ['gpt-oss', families['types-by-macro']!, ['<|start|>', '<|end|>', '<|message|>', '<|call|>', '<|channel|>']],
]

/** A tokenizer that has them as control tokens, the first as BOS. */
function tokenizerWith(tokens: readonly string[]): Tokenizer {
  const { tokenizer } = structuredClone(read('tokenizer-qwen2')) as {
    tokenizer: { added_tokens: { id: number; content: string }[]; model: { vocab: Record<string, number> } }
  }
  const known = new Set(tokenizer.added_tokens.map(({ content }) => content))
  let id = Math.max(...Object.values(tokenizer.model.vocab), ...tokenizer.added_tokens.map((token) => token.id))
  const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true }
  tokenizer.added_tokens = [
    ...tokenizer.added_tokens.map((token) => ({ ...token, ...flags })),
    ...tokens.filter((content) => !known.has(content)).map((content) => ({ id: ++id, content, ...flags })),
  ]
  return Tokenizer.fromJson(tokenizer)
}

describe('values of prompts', () => {
  it.each(FAMILIES)(
    'never become control tokens, also together with words of the author (%s)',
    (_, template, tokens) => {
      const tokenizer = tokenizerWith(tokens)
      const controls = new Set(tokens.map((token) => tokenizer.tokenToId(token)!))
      expect(controls.has(undefined as never)).toBe(false)
      const idsOf = (asked: PromptText, system: PromptText): number[] => {
        const input: ChatInput = { messages: messagesOf(asked, system), bosToken: tokens[0]!, eosToken: tokens[1]! }
        return [...encodeChatIds(tokenizer, template, { ...input, addGenerationPrompt: true })].filter((id) =>
          controls.has(id),
        )
      }
      const clean = idsOf(prompt`a`, prompt`b`)
      if (template.includes(tokens[0]!) || template.includes('bos_token')) expect(clean.length).toBeGreaterThan(0)
      // Whole, and in every place in two: half of it the author's, half a value, both ways, and two values.
      for (const token of tokens)
        for (let cut = 0; cut <= token.length; cut++) {
          const [left, right] = [token.slice(0, cut), token.slice(cut)]
          const strings = Object.assign([`x${left}`, 'y'], { raw: [] }) as TemplateStringsArray
          const behind = Object.assign(['x', `${right}y`], { raw: [] }) as TemplateStringsArray
          for (const asked of [prompt(strings, right), prompt(behind, left), prompt`x${left}${right}y`, quote(token)])
            expect(idsOf(asked, asked)).toEqual(clean)
        }
    },
  )
  it('are refused where they are missing, by the compiler and at run time', () => {
    const review = (v: { dish: string }) => prompt`Review ${v.dish}.`
    expect(String(review({ dish: 'pizza' }))).toBe('Review pizza.')
    // @ts-expect-error a variable is missing
    expect(() => review({})).toThrow(/^prompt: expected a text, a number or a prompt as value 1, got nothing/)
    // @ts-expect-error its name is another
    expect(() => review({ dsh: 'pizza' })).toThrow(UsageError)
    // @ts-expect-error it may be missing
    const perhaps = (v: { dish?: string }) => prompt`Review ${v.dish}.`
    expect(() => perhaps({})).toThrow(UsageError)
    // @ts-expect-error an object is no text
    expect(() => prompt`${{ a: 1 }}`).toThrow(/JSON\.stringify/)
    // @ts-expect-error nor is nothing within a list
    expect(() => prompt`${['a', undefined]}`).toThrow(UsageError)
  })
})

describe('quote', () => {
  it('has one end, whatever the text says', () => {
    const piece = fc.constantFrom(
      '</text>',
      '</te',
      'xt>',
      '<',
      '/',
      'text',
      '>',
      ' ',
      '\n',
      '\u200b',
      '\u00ad',
      'TEXT',
      '\\',
      'a',
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), piece, piece, (pieces, before, behind) => {
        const text = String(prompt`${before} ${quote(pieces.join(''))} ${behind}`)
        const inner = text.slice(before.length + 1, text.length - behind.length - 1)
        const marks = inner.replaceAll(/\p{Cf}/gu, '').match(/<\s*\/?\s*text(?![a-z0-9_])/gi)
        expect(marks).toEqual(['<text', '</text'])
        expect(inner.startsWith('<text>\n') && inner.endsWith('\n</text>')).toBe(true)
      }),
      { numRuns: 500 },
    )
  })
  it('is not made slow by a text', () => {
    const spaces = `<${' '.repeat(200_000)}`
    expect(String(quote(spaces))).toBe(`<text>\n${spaces}\n</text>`)
  })
})
