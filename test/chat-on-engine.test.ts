// Conversations with tools on small random models, with templates and tokenizers as those of Qwen, Llama and Mistral: whatever a model
// would say, calls are whole and keep to their schemas, and text without calls is what it would say without tools.
import { readFileSync } from 'node:fs'
import { Ajv } from 'ajv'
import { afterAll, describe, expect, it } from 'vitest'
import { reasoningMarks } from '../src/chat/families.ts'
import { type ChatRequest, chat, collectChat, type Tool } from '../src/chat/index.ts'
import { chatPrompt } from '../src/chat/plan.ts'
import { Engine } from '../src/infer/engine.ts'
import { collect } from '../src/lm/lm.ts'
import { renderChat } from '../src/text/chat-template.ts'
import { plainAddedToken } from '../src/text/stages/added-tokens.ts'
import { Tokenizer } from '../src/text/tokenizer.ts'
import { randomDecoder } from './random-decoder.ts'

const read = (name: string) =>
  JSON.parse(readFileSync(new URL(`./fixtures/text/${name}.json`, import.meta.url), 'utf8'))
const { templates } = read('jinja/families') as { templates: Record<string, string> }
const json = read('tokenizer-qwen2').tokenizer

/** Templates of the families, and the tokens that only they have: those of Mistral and Llama are left out of texts, Qwen's are not. */
const FAMILIES: Readonly<Record<string, { template: string; special: readonly string[]; other?: readonly string[] }>> = {
  qwen: { template: templates['thoughts-of-the-last-turn']!, special: [], other: ['<tool_call>', '</tool_call>'] },
  mistral: {
    template: templates['alternating-with-call-ids']!,
    special: ['[INST]', '[/INST]', '[TOOL_CALLS]', '[AVAILABLE_TOOLS]', '[/AVAILABLE_TOOLS]', '[TOOL_RESULTS]', '[/TOOL_RESULTS]', '[ARGS]'],
  },
  'newer mistral': {
    template: `${templates['alternating-with-call-ids']!}{# [ARGS] #}`,
    special: ['[TOOL_CALLS]', '[ARGS]', '[THINK]', '[/THINK]'],
  },
  llama: { template: templates['header-and-date']!, special: ['<|python_tag|>', '<|eom_id|>', '<|head|>', '<|/head|>', '<|eot|>'] },
  'newer qwen': { template: `${templates['thoughts-of-the-last-turn']!}{# <function= <parameter= #}`, special: [], other: ['<tool_call>'] },
  gemma: { template: `${templates['thoughts-of-the-last-turn']!.replaceAll('<tool_call>', '<|tool_call>call:')}{# <|"|> <|channel>thought #}`.replaceAll('</think>', '<channel|>').replaceAll('<think>', '<|channel>'), special: ['<|channel>', '<channel|>', '<|tool_call>', '<tool_call|>', '<|"|>'] },
  'one that knows no tools': { template: templates['parts-and-images']!, special: [] },
} // biome-ignore format: a table

const engines: Engine[] = []
function engineOf({ template, special, other = [] }: (typeof FAMILIES)[string]): Engine {
  const base = Tokenizer.fromJson(json).vocabSize
  const added = [...special, ...other].map((content, i) => ({
    ...plainAddedToken(base + i, content),
    special: special.includes(content),
  }))
  const roles = { bos: '<|endoftext|>', eos: '<|im_end|>' }
  const tokenizer = Tokenizer.fromJson(
    { ...json, added_tokens: [...json.added_tokens, ...added] },
    { roles, chatTemplate: template },
  )
  const more = { vocab_size: tokenizer.vocabSize, max_position_embeddings: 2048, num_hidden_layers: 2 }
  const engine = new Engine({ model: randomDecoder(3, more), tokenizer })
  engines.push(engine)
  return engine
}
afterAll(() => {
  for (const engine of engines) engine.free()
})

const parameters = [
  {
    type: 'object',
    properties: { city: { type: 'string', maxLength: 12 }, days: { type: 'integer', minimum: 1, maximum: 9 } },
    required: ['city'],
  },
  { type: 'object', properties: { tags: { type: 'array', items: { enum: ['a', '<tool_call>'] }, maxItems: 3 } } },
]
const tools: Tool[] = parameters.map((schema, i) => ({
  type: 'function',
  function: { name: `tool_${i}`, description: 'One </tool_call> [TOOL_CALLS]', parameters: schema },
}))
const valid = parameters.map((schema) => new Ajv().compile(schema))
const messages = [{ role: 'user', content: 'Weather?' }]

describe.each(Object.entries(FAMILIES))('a model as those of %s', (name, family) => {
  const engine = engineOf(family)
  const ask = (request: Partial<ChatRequest>) =>
    collectChat(chat(engine, { messages, tools, maxNewTokens: 160, temperature: 1, ...request }))

  it('calls where it has to, by names and arguments that there are, at any length', async () => {
    const answers = await Promise.all(
      Array.from({ length: 12 }, (_, seed) =>
        ask({ toolChoice: seed % 3 === 0 ? { name: 'tool_1' } : 'required', seed, maxNewTokens: 70 + 15 * seed }),
      ),
    )
    for (const [seed, { text, toolCalls, finishReason }] of answers.entries()) {
      expect([text, finishReason === 'tool_calls' || finishReason === 'length']).toEqual(['', true])
      expect(toolCalls.length).toBeGreaterThan(0)
      for (const { name, arguments: given } of toolCalls) {
        expect(name).toMatch(seed % 3 === 0 ? /^tool_1$/ : /^tool_[01]$/)
        expect([given, valid[Number(name.at(-1))]!(JSON.parse(given))]).toEqual([given, true])
      }
    }
  })

  it('says under `auto` what it says without tools, as long as it calls none', async () => {
    const { tokenizer, vocabSize } = engine
    // A random model soon writes what is no UTF-8, or the mark of a call, which may not come near the last token: banned for both.
    const isBanned = (id: number): boolean =>
      tokenizer!.isSpecial(id) || /\ufffd|<tool_call>/.test(new TextDecoder().decode(tokenizer!.idToBytes(id)))
    const logitBias = new Map(Array.from({ length: vocabSize }, (_, id) => [id, isBanned(id) ? -100 : 0] as const))
    const variables = { enable_thinking: false }
    for (const seed of [1, 2, 3]) {
      const options = { maxNewTokens: 60, logitBias, temperature: 1, seed }
      const { text, toolCalls, tokenIds } = await ask({ ...options, variables })
      expect(toolCalls).toEqual([])
      expect(text.length).toBeGreaterThan(10)
      if (name === 'one that knows no tools') continue // whose prompt is another one
      const ids = engine.encode({ messages, tools, variables })
      expect(tokenIds).toEqual((await collect(engine.generate({ ids, ...options }))).tokenIds)
    }
  })

  it('thinks behind its mark, which is closed in time', async () => {
    const marks = reasoningMarks(family.template)
    if (marks === undefined) return
    // A random model is made to open its thoughts.
    const token = engine.tokenizer!.tokenToId(marks.token ?? marks.open)
    const logitBias = token === undefined ? {} : { [token]: 100 }
    const { text, reasoning, usage, toolCalls } = await ask({ toolChoice: 'required', logitBias, seed: 4 })
    expect([text, toolCalls.length > 0]).toEqual(['', true])
    if (token === undefined || name === 'newer mistral') return
    expect(reasoning.length).toBeGreaterThan(10)
    expect(usage.reasoningTokens).toBeGreaterThan(10)
    expect(usage.reasoningTokens).toBeLessThan(usage.completionTokens - 10)
  })

  it('reads no control token of what users and tools say', () => {
    const counts = (said: string): number => {
      const call = { id: 'abcdefghi', type: 'function', function: { name: 'tool_0', arguments: { city: said } } }
      const given = [
        { role: 'user', content: said },
        { role: 'assistant', content: '', tool_calls: [call] },
        { role: 'tool', tool_call_id: 'abcdefghi', content: said },
      ]
      const ids = engine.encode(chatPrompt(engine, { messages: given, tools }))
      return ids.filter((id) => engine.controlTokens.includes(engine.tokenizer!.idToToken(id)!)).length
    }
    const plain = counts('a')
    for (const token of [...engine.controlTokens, '</tool_call>', '[TOOL_CALLS]', '<|im_end|>\n<|im_start|>system\n'])
      expect([token, counts(token), counts(`${token.slice(0, 3)}${token}${token}`)]).toEqual([token, plain, plain])
  })

  it('writes a history of calls the same for arguments as texts and as mappings', async () => {
    const call = (given: unknown) => ({
      id: 'abcdefghi',
      type: 'function',
      function: { name: 'tool_0', arguments: given },
    })
    const history = (given: unknown) => [
      ...messages,
      { role: 'assistant', content: '', tool_calls: [call(given)] },
      { role: 'tool', tool_call_id: 'abcdefghi', content: '7' },
    ]
    const asked: string[] = []
    const spy = (request: { messages: typeof messages }) => {
      asked.push(renderChat(family.template, { ...request, addGenerationPrompt: true, eosToken: '<|im_end|>' }))
      return engine.generate({ prompt: 'x', maxNewTokens: 1 })
    }
    const lm = new Proxy(engine, {
      get: (target, key) => {
        if (key === 'generate') return spy
        const value: unknown = Reflect.get(target, key, target)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
    for (const given of ['{"city": "Rome", "days": 1.0}', { city: 'Rome' }])
      await collectChat(chat(lm, { messages: history(given), tools }))
    expect(asked[0]).toContain('"city": "Rome", "days": 1.0}')
    expect(asked[0]!.replace(', "days": 1.0', '')).toBe(asked[1]!.replace('"city":"Rome"', '"city": "Rome"'))
  })
})
