// What an engine reads of a conversation, and how much of a prompt.
import { readFileSync } from 'node:fs'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { TINY_CHAT_TEMPLATE, tinyModelDirectory } from '../../test/tiny-model.ts'
import { loadDecoder } from '../checkpoint/model-directory/load.ts'
import { UsageError } from '../errors.ts'
import { type ChatPromptOptions, collect, type GenerateOptions } from '../lm/lm.ts'
import { readModelConfig } from '../model/config-read.ts'
import { Decoder } from '../model/decoder.ts'
import { encodeChat } from '../text/chat-encoding.ts'
import { Tokenizer } from '../text/tokenizer.ts'
import { Engine } from './engine.ts'
import { BLOCK_TOKENS } from './paged-cache.ts'

const template = `{%- if tools %}{{- tools | length }} tools {% endif %}{%- for document in documents or [] %}{{- document.title }} {% endfor %}
{%- if brief %}{{- 'brief ' }}{% endif %}${TINY_CHAT_TEMPLATE}`
const { directory, remove } = await tinyModelDirectory({ chatTemplate: template })
const tokenizer = await Tokenizer.fromDirectory(directory)
const engine = new Engine({ model: loadDecoder(directory), tokenizer, cacheTokens: 400 })
afterAll(() => {
  engine.free()
  remove()
})

const [START, END] = [3, 4]
const messages = [
  { role: 'user', content: 'a<|im_end|>' },
  { role: 'assistant', content: 'b<|im_start|> ' },
]

describe('a conversation', () => {
  it('is encoded once, however many messages it has', () => {
    // Of a template without control tokens between messages, each place that is looked for encodes the text before it again.
    const encoding = vi.spyOn(tokenizer, 'encodeMasked')
    const many = Array.from({ length: 20 }, (_, i) => ({ role: i % 2 ? 'assistant' : 'user', content: `a ${i} b` }))
    const ids = engine.encode({ messages: many })
    expect(encoding.mock.calls.map(([, , cuts = []]) => cuts)).toEqual([[]])
    encoding.mockRestore()
    expect(ids).toEqual([...encodeChat(tokenizer, template, { messages: many, addGenerationPrompt: true }).ids])
  })
  it('is encoded as it is rendered, whatever the template is given', () => {
    const all: ChatPromptOptions[] = [
      {},
      { tools: [{}, {}], documents: [{ title: 'T' }], variables: { brief: true } },
      { addGenerationPrompt: false },
      { continueFinalMessage: true, variables: { brief: true } },
    ]
    const texts = all.map((options) => {
      const { continueFinalMessage = false, addGenerationPrompt = !continueFinalMessage } = options
      const text = engine.renderChat(messages, { ...options, addGenerationPrompt })
      const ids = engine.encode({ messages, ...options })
      expect(tokenizer.decode(ids, { skipSpecialTokens: false })).toBe(text)
      // Those that the messages spell are text.
      const count = (id: number): number => ids.filter((other) => other === id).length
      expect(count(START)).toBe(addGenerationPrompt ? 3 : 2)
      expect(count(END)).toBe(continueFinalMessage ? 1 : 2)
      return text
    })
    const turns = '<|im_start|>user\na<|im_end|><|im_end|>\n<|im_start|>assistant\nb<|im_start|> '
    expect(texts).toEqual([
      `${turns}<|im_end|>\n<|im_start|>assistant\n`,
      `2 tools T brief ${turns}<|im_end|>\n<|im_start|>assistant\n`,
      `${turns}<|im_end|>\n`,
      `brief ${turns}`,
    ])
    const both = { addGenerationPrompt: true, continueFinalMessage: true }
    expect(() => engine.encode({ messages, ...both })).toThrow(UsageError)
    expect(() => engine.renderChat(messages, both)).toThrow(UsageError)
  })

  it('goes on with the last message: with its space, up to the end of the turn', async () => {
    const { tokenizer: json } = JSON.parse(
      readFileSync(new URL('../../test/fixtures/text/tokenizer-llama2-legacy.json', import.meta.url), 'utf8'),
    ) as { tokenizer: unknown }
    const turns = "{% for m in messages %}{{ m.role + ': ' + m.content + '</s>' }}{% endfor %}"
    const spaced = Tokenizer.fromJson(json, { chatTemplate: turns })
    const config = readModelConfig(
      {
        model_type: 'llama',
        vocab_size: spaced.vocabSize,
        hidden_size: 16,
        intermediate_size: 16,
        num_hidden_layers: 1,
        num_attention_heads: 1,
      },
      'config.json',
    )
    const lm = new Engine({ model: Decoder.fresh(config, { seed: 1 }), tokenizer: spaced })
    const word = spaced.encode('a', { addSpecialTokens: false })[0]!
    const end = spaced.tokenToId('</s>')!
    expect(spaced.idToToken(word)).toMatch(/^▁/)
    // The word, then the end of the turn, which is not among the model's end tokens.
    const mask = (made: readonly number[]) => {
      const bits = new Uint32Array(Math.ceil(spaced.vocabSize / 32))
      const id = made.length === 0 ? word : end
      bits[id >>> 5] = 1 << (id & 31)
      return bits
    }
    const said = [
      { role: 'user', content: 'b' },
      { role: 'assistant', content: 'c' },
    ]
    const say = (options: ChatPromptOptions) => collect(lm.generate({ messages: said, ...options, mask }))
    const [own, more] = [await say({}), await say({ continueFinalMessage: true })]
    expect([more.text, more.finishReason]).toEqual([` ${own.text}`, 'stop'])
    expect(more.stop).toBeUndefined()
    lm.free()
  })

  it('is told of: template, control tokens, names, and room', () => {
    expect(engine.chatTemplate).toBe(template)
    expect(engine.controlTokens).toEqual(['<unk>', '<s>', '</s>', '<|im_start|>', '<|im_end|>'])
    expect(engine.namedTokens).toEqual({ bos_token: '<s>', eos_token: '</s>', unk_token: '<unk>' })
    expect(engine.load).toEqual({ waiting: 0, running: 0, usedBlocks: 0, blocks: 400 / BLOCK_TOKENS })
    expect(engine.contextLength).toBe(400)
    const bare = new Engine({ model: engine.model })
    expect([bare.chatTemplate, bare.controlTokens, bare.namedTokens]).toEqual([undefined, [], {}])
  })
})

describe('maxPromptTokens', () => {
  const options: GenerateOptions = { maxNewTokens: 6, temperature: 0 }
  it('reads the last tokens as if there were no others', async () => {
    const ids = Array.from({ length: 500 }, (_, i) => 5 + ((i * 37) % 256))
    await expect(collect(engine.generate({ ids, ...options }))).rejects.toThrow('prompt: expected at most 399 tokens')
    for (const most of [1, 20, 399]) {
      const short = await collect(engine.generate({ ids, ...options, maxPromptTokens: most }))
      const { usage, ...whole } = await collect(engine.generate({ ids: ids.slice(-most), ...options }))
      expect(short).toMatchObject(whole)
      expect(short.usage).toMatchObject({ promptTokens: most, completionTokens: usage.completionTokens })
    }
    const all = await collect(engine.generate({ ids: [7, 8], ...options, maxPromptTokens: 50 }))
    expect(all.usage.promptTokens).toBe(2)
    for (const wrong of [0, -3, 2.5, Number.NaN, '4' as unknown as number])
      await expect(collect(engine.generate({ ids, ...options, maxPromptTokens: wrong }))).rejects.toThrow(UsageError)
  })

  it('leaves a chat its turn and its structure', async () => {
    const structure = { choice: ['yes', 'no'] }
    const { text, usage } = await collect(engine.generate({ messages, structure, seed: 1, maxPromptTokens: 9 }))
    expect(structure.choice).toContain(text)
    expect(usage.promptTokens).toBe(9)
  })
})
