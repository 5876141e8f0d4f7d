// Generation that keeps to a structure, end to end on a tiny model: whatever it would say, what comes is whole and of the structure.
import { afterAll, describe, expect, it } from 'vitest'
import { tinyModelDirectory } from '../../test/tiny-model.ts'
import { loadDecoder } from '../checkpoint/model-directory/load.ts'
import { isValid } from '../grammar/json/is-valid.ts'
import { collect, type GenerateRequest } from '../lm/lm.ts'
import { Tokenizer } from '../text/tokenizer.ts'
import { Engine } from './engine.ts'
import { Structures } from './structures.ts'

const { directory, remove } = await tinyModelDirectory()
const model = loadDecoder(directory)
const engine = new Engine({ model, tokenizer: await Tokenizer.fromDirectory(directory) })
afterAll(() => {
  engine.free()
  remove()
})

const person = {
  type: 'object',
  properties: {
    name: { type: 'string' },
    age: { type: 'integer', minimum: 0, maximum: 150 },
    tags: { type: 'array', items: { enum: ['red', 'green'] } },
  },
  required: ['name', 'age'],
}

describe('structures that are kept', () => {
  it('are compiled anew once texts have made them large', () => {
    const structures = new Structures(2000)
    const tokenizer = engine.tokenizer!
    const ids = [...tokenizer.encode(`"${'once upon a time '.repeat(60)}`, { addSpecialTokens: false })]
    const follow = () =>
      structures.mask({ json_schema: { type: 'string', maxLength: 5000 } }, tokenizer, engine.vocabSize, {
        endTokenIds: [0],
        maxNewTokens: 9000,
      })
    const before = follow().isWhole(ids)
    expect(structures.parts).toBeGreaterThan(2000)
    const after = follow()
    expect(structures.parts).toBeLessThan(2000)
    expect(after.isWhole(ids)).toBe(before)
  })
})

describe('a generation with a structure', () => {
  it('that cannot be followed to its end fails alone', async () => {
    const ask = (structure: NonNullable<GenerateRequest['structure']>): Promise<string> =>
      collect(engine.generate({ prompt: 'a', structure, maxNewTokens: 200 })).then(
        ({ text }) => text,
        (error: Error) => error.message,
      )
    const [bad, good, waiting] = await Promise.all([
      ask({ grammar: 'root ::= "a" root? root? root?' }),
      ask({ json_schema: { type: 'string', minLength: 40, maxLength: 50 } }),
      ask({ choice: ['yes'] }),
    ])
    expect(bad).toMatch(/readings of a (text|byte), got more/)
    expect(String(JSON.parse(good!)).length).toBeGreaterThanOrEqual(40)
    expect(waiting).toBe('yes')
  })

  it('is valid JSON of its schema at every temperature and length, alone or beside others', async () => {
    const requests = [60, 80, 120].flatMap((maxNewTokens) =>
      [0, 1, 2, 3].map(
        (seed): GenerateRequest => ({
          prompt: `text ${seed}`,
          structure: { json_schema: person },
          maxNewTokens,
          seed,
          temperature: seed === 0 ? 0 : 1.5,
        }),
      ),
    )
    const together = await engine.generateAll(requests)
    for (const { text } of together) expect([text, isValid(person, JSON.parse(text))]).toEqual([text, true])
    const alone = []
    for (const request of requests) alone.push((await collect(engine.generate(request))).tokenIds)
    expect(together.map(({ tokenIds }) => tokenIds)).toEqual(alone)
  })

  it('says one of the choices, a match, a text of the grammar, with the log-probabilities of the model', async () => {
    const say = (structure: NonNullable<GenerateRequest['structure']>) =>
      collect(
        engine.generate({
          prompt: 'so',
          structure: structure!,
          maxNewTokens: 40,
          logprobs: true,
          seed: 1,
          temperature: 1,
        }),
      )
    const choice = await say({ choice: ['north', 'south', 'east'] })
    expect(['north', 'south', 'east']).toContain(choice.text)
    expect(choice.finishReason).toBe('stop')
    expect(choice.logprobs).toHaveLength(choice.tokenIds.length)
    expect((await say({ regex: '[a-f]{3}-\\d{2}' })).text).toMatch(/^[a-f]{3}-\d{2}$/)
    expect((await say({ grammar: 'root ::= "(" [0-9]+ ("," [0-9]+){1,2} ")"' })).text).toMatch(/^\(\d+(,\d+){1,2}\)$/)
  })

  it('reads what must come in one call of the model', async () => {
    let calls = 0
    const forward = model.forward.bind(model)
    model.forward = (...inputs) => {
      calls++
      return forward(...inputs)
    }
    const text = 'nothing else may come here, and so nobody is asked'
    const { tokenIds, text: made } = await collect(
      engine.generate({ prompt: 'go', structure: { text }, maxNewTokens: 99 }),
    )
    model.forward = forward
    expect(made).toBe(text)
    expect(tokenIds.length).toBeGreaterThan(12)
    expect(calls).toBeLessThanOrEqual(4)
  })

  it('is refused where it cannot be kept to', async () => {
    const ask = (request: Partial<GenerateRequest>) =>
      collect(engine.generate({ prompt: 'x', ...request } as GenerateRequest))
    await expect(ask({ structure: { json_schema: person }, maxNewTokens: 5 })).rejects.toThrow(
      /max_new_tokens: expected at least \d+ for a whole answer/,
    )
    await expect(ask({ structure: { regex: '(' } })).rejects.toThrow("expected a ')' for each '('")
    await expect(ask({ structure: { choice: ['a'] }, mask: () => null })).rejects.toThrow('expected it without `mask`')
    await expect(ask({ structure: { choice: ['a'] }, ignoreEos: true })).rejects.toThrow(
      'expected it without `ignoreEos`',
    )
    await expect(ask({ response_format: {} } as object)).rejects.toThrow('structure')
  })
})
