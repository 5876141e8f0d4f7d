import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { UsageError } from '../../errors.ts'
import { compileGrammar } from '../../grammar/grammar.ts'
import { fakeLm } from '../../lm/fake-lm.ts'
import { localModel } from './local-model.ts'
import { AnswerError, type Backend, modelOf } from './model.ts'
import { jsonSchemaOf } from './schema.ts'
import { WORDINGS } from './wordings.ts'

/** A model that says these texts, one after another. */
function saying(texts: readonly string[], holds: Backend['holds'] = 'none') {
  const asked: Parameters<Backend['answer']>[0][] = []
  const model = modelOf({
    name: 'saying',
    holds,
    async *answer(call) {
      asked.push(call)
      const usage = { promptTokens: 1, completionTokens: 1, reasoningTokens: 0 }
      yield { deltas: [{ type: 'text', text: texts[asked.length - 1]! }], tokenIds: [], finishReason: 'stop', usage }
    },
  })
  return { model, asked }
}

describe('draft', () => {
  it('answers freely, then writes that down under masks', async () => {
    const { model, asked } = saying(['Three and four make seven.', '7'], 'masks')
    expect(await model.ask('3 + 4?', { as: z.int(), draft: true, maxTokens: 30 })).toBe(7)
    expect(asked.map(({ structure }) => structure !== undefined)).toEqual([false, true])
    expect(asked.map(({ maxTokens }) => maxTokens)).toEqual([30, 30])
    expect(asked[1]!.messages.map(({ content }) => content)).toEqual([
      '3 + 4?',
      'Three and four make seven.',
      WORDINGS.afterDraft,
    ])
  })
  it('spells the schema for models that are held to nothing, and does without thoughts', async () => {
    const { model, asked } = saying(['Seven.', '7'])
    expect(await model.ask('3 + 4?', { as: z.int(), draft: true })).toBe(7)
    expect(String(asked[0]!.messages[0]!.content)).toBe('3 + 4?')
    expect(String(asked[1]!.messages.at(-1)!.content)).toContain('"type":"integer"')
    await expect(model.ask('x', { as: z.int(), draft: true, think: 5 })).rejects.toThrow(
      'draft: expected it without `think`',
    )
  })
})

describe('an escape branch', () => {
  const Answer = z.union([z.object({ year: z.int() }), z.object({ cannot: z.string().max(40) })])
  it('is a branch of the schema: masks keep to one of them, types tell them apart', async () => {
    const model = localModel(fakeLm({ reply: () => '{"cannot": "nobody knows"}' }))
    const answer = await model.ask('When?', { as: Answer })
    expect('cannot' in answer ? answer.cannot.toUpperCase() : answer.year + 1).toBe('NOBODY KNOWS')
    // What begins one branch cannot end as the other.
    const mixed = localModel(fakeLm({ reply: () => '{"year": "unknown"}' }))
    expect(await mixed.ask('When?', { as: Answer })).toEqual({ year: expect.any(Number) })
  })
})

describe('schemas of zod', () => {
  const masks = (schema: z.ZodType): string => {
    try {
      compileGrammar({ json_schema: jsonSchemaOf(schema) }, { controlTokens: new Set() })
      return 'masks'
    } catch (error) {
      expect(error).toBeInstanceOf(UsageError)
      return (error as Error).message
    }
  }
  it('become masks', () => {
    const Tree: z.ZodType = z.object({ v: z.number(), next: z.array(z.lazy(() => Tree)) })
    const all: z.ZodType[] = [
      z.string().min(1).max(3),
      z.string().length(2),
      z.string().regex(/^a+$/),
      z.string().startsWith('a'),
      z.string().endsWith('b'),
      z.string().includes('c'),
      z.string().uppercase(),
      z.email(),
      z.uuid(),
      z.url(),
      z.ipv4(),
      z.iso.date(),
      z.iso.datetime(),
      z.base64(),
      z.e164(),
      z.int().min(-3).max(9),
      z.number().gt(0).lt(2.5),
      z.boolean(),
      z.null(),
      z.literal(['a', 1]),
      z.enum(['a', 'b']),
      z.templateLiteral(['id-', z.int()]),
      z.array(z.int()).min(1).max(4),
      z.tuple([z.string(), z.int()]),
      z.tuple([z.string()], z.int()),
      z.strictObject({ a: z.string() }),
      z.looseObject({ a: z.string() }),
      z.record(z.string(), z.int()),
      z.object({ a: z.string().optional(), b: z.int().nullable() }),
      z.union([z.int(), z.string()]),
      z.discriminatedUnion('k', [z.object({ k: z.literal('a') }), z.object({ k: z.literal('b') })]),
      z.intersection(z.object({ a: z.string() }), z.object({ b: z.int() })),
      Tree,
      z.json(),
    ]
    expect(all.map(masks).filter((one) => one !== 'masks')).toEqual([])
  })
  it('that say more than masks can keep are refused in one line', async () => {
    const all: [z.ZodType, RegExp][] = [
      [z.number().multipleOf(3), /multipleOf: expected a keyword that masks can keep/],
      [z.string().regex(/^(?=.*\d).+$/), /lookarounds/],
      [z.string().regex(/^a/).regex(/b$/), /expected one 'pattern', got two/],
      [z.date(), /^as: expected a schema of what JSON can say, got another \(Date cannot/],
      [z.bigint(), /^as: expected a schema of what JSON can say/],
      [z.map(z.string(), z.int()), /^as: expected a schema of what JSON can say/],
      [z.never(), /not: expected a keyword that masks can keep/],
    ]
    for (const [as, line] of all) {
      const lm = fakeLm({ reply: () => '1' })
      const error = await localModel(lm)
        .ask('x', { as })
        .catch((e: unknown) => e)
      expect([as.type, error instanceof UsageError]).toEqual([as.type, true])
      expect((error as Error).message).toMatch(line)
      expect((error as Error).message).not.toContain('\n')
    }
  })
  it('check afterwards what is code, and ask again with its words', async () => {
    const Even = z.int().refine((n) => n % 2 === 0, 'must be even')
    const { model, asked } = saying(['3', '4'], 'masks')
    expect(await model.ask('x', { as: Even })).toBe(4)
    expect(String(asked[1]!.messages.at(-1)!.content)).toContain('must be even')
    await expect(saying(['3', '3', '3'], 'masks').model.ask('x', { as: Even })).rejects.toThrow(AnswerError)
    // Transforms, defaults and coercions make the value of what was written.
    const Length = z.object({
      a: z.string().transform((text) => text.length),
      b: z.int().default(5),
      c: z.coerce.number(),
    })
    expect(await saying(['{"a": "four", "c": 1}'], 'masks').model.ask('x', { as: Length })).toEqual({
      a: 4,
      b: 5,
      c: 1,
    })
  })
})
