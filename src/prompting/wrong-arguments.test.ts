import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { UsageError } from '../errors.ts'
import { fakeLm } from '../lm/fake-lm.ts'
import { splitDocuments } from './data/index.ts'
import {
  agent,
  cached,
  connect,
  conversation,
  fallback,
  guard,
  localModel,
  mapReduce,
  openSession,
  prompt,
  quote,
  refine,
  route,
  rules,
} from './index.ts'

const lm = fakeLm({ reply: () => 'hello' })
const model = localModel(lm)
const budget = { steps: 2 }
const map = (part: string) => part
const reduce = (notes: readonly string[]) => notes.join('')
/** As programs give them that no type checker reads. */
// biome-ignore lint/suspicious/noExplicitAny: that is what is tried
const any = (value: unknown): any => value
const drained = async (documents: AsyncIterable<unknown>) => {
  for await (const _ of documents);
}

describe('an argument of the wrong kind', () => {
  it.each<[string, string, () => unknown]>([
    [
      'a promise for a model',
      'localModel: expected a model of this process, got a promise (await it)',
      () => localModel(any(Promise.resolve(lm))),
    ],
    ['a path for a model', 'got the text "runs/demo"', () => localModel(any('runs/demo'))],
    [
      'a model that is asked, for a session',
      'openSession: expected a model of this process, got one that is asked',
      () => openSession(any(model), 'x'),
    ],
    ...(
      [
        ['agent', (it) => agent(it, { tools: [], budget })],
        ['conversation', (it) => conversation(it)],
        ['guard', (it) => guard(it, {})],
        ['cached', (it) => cached(it)],
        ['route', (it) => route([model, it], { by: () => 0 })],
        ['fallback', (it) => fallback([model, it])],
        ['refine', (it) => refine(it, 'x', { check: () => true })],
        ['mapReduce', (it) => mapReduce(['a'], { model: it, map, reduce })],
      ] as [string, (it: typeof model) => unknown][]
    ).map(([name, make]): [string, string, () => unknown] => [
      `what loadLm gives, for ${name}`,
      `${name}: expected a model that can be asked, got one of loadLm. Put localModel(…) around it`,
      () => make(any(lm)),
    ]),
    [
      'a rule that was not called',
      'input: expected rules, got a function. Call it (rules.noInjection())',
      () => guard(model, { input: [any(rules.noInjection)] }),
    ],
    [
      'a rule without a list',
      'output: expected a list of rules',
      () => guard(model, { output: any(rules.noSecrets()) }),
    ],
    [
      'an unknown option of agents',
      "agent: expected options that it has, got 'max_tokens'. Did you mean 'maxTokens'?",
      () => agent(model, any({ tools: [], budget, max_tokens: 3 })),
    ],
    [
      'an unknown part of a budget',
      "budget: expected options that it has, got 'token'",
      () => agent(model, { tools: [], budget: any({ steps: 2, token: 3 }) }),
    ],
    ['no tools', 'tools: expected a list', () => agent(model, any({ budget }))],
    [
      'an unknown option of mapReduce',
      "mapReduce: expected options that it has, got 'groups'",
      () => mapReduce(['a'], any({ model, map, reduce, groups: 3 })),
    ],
    [
      'no name of a model',
      'model: expected the name that the service calls it by',
      () => connect('http://x/v1', any({})),
    ],
    ['nothing to quote', 'quote: expected a text, got nothing', () => quote(any(undefined))],
    ['an object to quote', 'quote: expected a text, got an object', () => quote(any({}))],
    ['a promise in a template', 'got a promise. Await it', () => prompt`a ${any(Promise.resolve('x'))}`],
    ['a call of prompt', 'prompt: expected to stand before a template', () => any(prompt)('x')],
    ['a number for a question', 'prompt: expected a text, a prompt or messages, got a number', () => model.ask(any(3))],
    [
      'a text for a number',
      'temperature: expected a number of at least 0, got "hot"',
      () => model.ask('x', { temperature: any('hot') }),
    ],
    ['no tokens', 'maxTokens: expected a whole number of at least 1, got 0', () => model.ask('x', { maxTokens: 0 })],
    ['half a token', 'maxTokens: expected a whole number', () => model.ask('x', { maxTokens: 1.5 })],
    ['a plain JSON Schema', 'schema: expected one of a library', () => model.ask('x', { as: any({ type: 'object' }) })],
    ['a function of zod', 'schema: expected one of a library', () => model.ask('x', { as: any(z.object) })],
    [
      'a role that is none',
      "role: expected system, developer, user, assistant, tool, got 'usr'. Did you mean 'user'?",
      () => model.ask([{ role: 'usr', content: 'x' }]),
    ],
    [
      'a setting that is none, for a conversation',
      "conversation: expected options that it has, got 'maxToken'",
      () => conversation(model, any({ maxToken: 3 })),
    ],
    [
      'texts for documents',
      'splitDocuments: expected documents { id, text, meta }',
      () => drained(splitDocuments(any(['a']), { size: 9 })),
    ],
  ])('%s', async (_, message, act) => {
    const error = await Promise.resolve()
      .then(act)
      .then(
        () => undefined,
        (error: unknown) => error,
      )
    expect(error).toBeInstanceOf(UsageError)
    expect((error as Error).message).toContain(message)
  })

  it('that no service listens at says so', async () => {
    const nobody = connect('http://127.0.0.1:9/v1', { model: 'x', retries: 0, fetch: () => refused() })
    await expect(nobody.ask('x')).rejects.toThrow('expected an answer, got none (a connection refused (ECONNREFUSED))')
  })
})

/** As Node's fetch fails where nobody listens. */
async function refused(): Promise<Response> {
  const cause = Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:9'), { code: 'ECONNREFUSED' })
  throw new TypeError('fetch failed', { cause })
}
