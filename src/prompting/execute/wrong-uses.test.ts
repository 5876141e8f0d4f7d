// Wrong uses that the type checker finds, and types that are read off what is given. `tsc` is what proves this file.

import { expect, expectTypeOf, it } from 'vitest'
import { z } from 'zod'
import { fakeLm } from '../../lm/fake-lm.ts'
import { localModel } from '../base/local-model.ts'
import { prompt } from '../data/prompt.ts'
import { agent, tool } from './agent.ts'
import { mapReduce } from './map-reduce.ts'
import { refine } from './refine.ts'

it('knows the types of answers, and finds options that are none', () => {
  const model = localModel(fakeLm())
  const Person = z.object({ name: z.string(), age: z.number().optional() })
  // Never run: what it says is for the type checker.
  const uses = async (): Promise<void> => {
    expectTypeOf(await model.ask('x')).toEqualTypeOf<string>()
    expectTypeOf(await model.ask('x', { as: Person })).toEqualTypeOf<{ name: string; age?: number | undefined }>()
    expectTypeOf(await model.ask('x', { as: z.string().transform(Number) })).toEqualTypeOf<number>()
    expectTypeOf((await refine(model, 'x', { as: z.number(), check: (n) => n > 1 || 'more' })).value).toEqualTypeOf<number>() // biome-ignore format: a line
    expectTypeOf(await mapReduce(['a'], { model, map: (part) => part, reduce: String, as: z.boolean() })).toEqualTypeOf<boolean>() // biome-ignore format: a line
    expectTypeOf(await model.logprobs('x', ['yes', 'no'])).toEqualTypeOf<Record<'yes' | 'no', number>>()
    // @ts-expect-error the answer is a number
    const text: string = await model.ask('x', { as: z.number() })
    // @ts-expect-error it is called maxTokens
    await model.ask('x', { max_tokens: 3 })
    // @ts-expect-error a stream has no types
    model.stream('x', { as: Person })
    // @ts-expect-error a schema is no text
    await model.ask('x', { as: 'number' })
    // @ts-expect-error a promise has not come yet
    await model.ask(prompt`x ${model.ask('y')}`)
    // @ts-expect-error an agent has to end
    agent(model, { tools: [] })
    // @ts-expect-error the input has no field m
    tool({ name: 'f', description: '', input: z.object({ n: z.number() }), run: ({ m }) => m })
    // @ts-expect-error its answers are numbers
    await refine(model, 'x', { as: z.number(), check: (said) => said.length > 0 || 'empty' })
    expect(text).toBeDefined()
  }
  expect(uses).toBeTypeOf('function')
})
