import { describe, expect, it } from 'vitest'
import { UnsupportedError, UsageError } from '../../errors.ts'
import { fakeLm } from '../../lm/fake-lm.ts'
import type { GenerateRequest, Lm } from '../../lm/lm.ts'
import { type Model, modelOf } from '../base/model.ts'
import { dryRun, trace } from '../base/trace.ts'
import { WORDINGS } from '../base/wordings.ts'
import type { ScriptPiece } from './script/run-script.ts'
import { ScriptError } from './script/script-error.ts'
import { script } from './script.ts'

const REVIEW = `"Review: {review}\\n"
"Stars (1-5): [stars: int]\\n" where 1 <= stars <= 5
"In one sentence: [why]" where len(words(why)) < 20 and stops_at(why, ".")
if stars < 3: "\\nApology: [sorry]" where not contains(sorry, "unfortunately")
`

/** A model of ours that says what belongs behind the last line so far; every request is kept. */
function answering(answers: Record<string, string>): { lm: Lm; asked: GenerateRequest[] } {
  const asked: GenerateRequest[] = []
  const lm = fakeLm({
    reply: (request) => {
      if (asked.at(-1) !== request) asked.push(request)
      const { messages, prompt } = request as { messages?: { content: unknown }[]; prompt?: string }
      const text = prompt ?? String(messages!.at(-1)!.content)
      return answers[text.slice(text.lastIndexOf('\n') + 1)] ?? ''
    },
  })
  return { lm, asked }
}

/** A service that says these, one after another; every call is kept. */
function service(texts: readonly string[], holds: Model['holds'] = 'none') {
  const asked: Parameters<Model['answer']>[0][] = []
  const model = modelOf({
    name: 'service',
    holds,
    async *answer(call) {
      asked.push(call)
      const usage = { promptTokens: 1, completionTokens: 1, reasoningTokens: 0 }
      yield { deltas: [{ type: 'text', text: texts[asked.length - 1]! }], tokenIds: [] }
      yield { deltas: [], tokenIds: [], finishReason: 'stop', usage }
    },
  })
  return { model, asked }
}

describe('script', () => {
  it('goes on with one text, hole by hole', async () => {
    const { lm, asked } = answering({
      'Stars (1-5):': ' 2\n',
      'In one sentence:': ' The soup was cold.',
      'Apology:': ' We are sorry.',
    })
    const made = await script(REVIEW).run(lm, { review: 'Cold soup.' })
    expect(made.text).toBe(
      'Review: Cold soup.\nStars (1-5): 2\nIn one sentence: The soup was cold.\nApology: We are sorry.',
    )
    expect(made.values).toEqual({ stars: 2, why: 'The soup was cold.', sorry: 'We are sorry.' })
    expect(made.value).toBeNull()
    expect(asked.map((request) => (request as { prompt: string }).prompt)).toEqual([
      'Review: Cold soup.\nStars (1-5):',
      'Review: Cold soup.\nStars (1-5): 2\nIn one sentence:',
      'Review: Cold soup.\nStars (1-5): 2\nIn one sentence: The soup was cold.\nApology:',
    ])
  })

  it('takes the other way where the condition says so', async () => {
    const { lm } = answering({ 'Stars (1-5):': ' 5\n', 'In one sentence:': ' Warm.' })
    expect((await script(REVIEW).run(lm, { review: 'x' })).values).toEqual({ stars: 5, why: 'Warm.' })
  })

  it('makes masks of types, and of what follows', async () => {
    const { lm, asked } = answering({ 'a=': 'x;', 'b=': ' yes', 'c=': 'AB12' })
    await script('"a=[a];\\nb= [b: "yes" | "no"]\\nc=[c: /[A-Z]{2}\\d+/]"').run(lm)
    expect(asked.map(({ structure, stop }) => [structure, stop])).toEqual([
      [undefined, [';\n']],
      [{ sequence: [{ text: ' ' }, { choice: ['yes', 'no'] }, { text: '\n' }] }, undefined],
      [{ regex: '[A-Z]{2}\\d+' }, undefined],
    ])
  })

  it('fills holes of loops with lists, and returns values', async () => {
    const { lm } = answering({ 'a:': '1', 'b:': '2', 'sum:': '3' })
    const made = await script(`let all = []
for name in names:
  "{name}:[n: int]\\n"
  let all = all + [n * 10]
if len(all) > 1:
  "sum:[sum: int]"
  return [all, sum, upper("x{names[0]}")]
"never"`).run(lm, { names: ['a', 'b'] })
    expect(made).toEqual({
      text: 'a:1\nb:2\nsum:3',
      values: { n: [1, 2], sum: 3 },
      value: [[10, 20], 3, 'XA'],
    })
  })

  it('takes turns with a model that has a chat template', async () => {
    const { lm, asked } = answering({ 'Hi Ada': '', 'Hi Ada!': 'Hello.', 'Say:': ' Bye' })
    const made = await script(`system "Be brief."
user "Hi {name}!"
assistant "[first]"
user "And?"
assistant "Say: [second]"`).run(lm, { name: 'Ada' })
    expect(made.messages).toEqual([
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'Hi Ada!' },
      { role: 'assistant', content: 'Hello.' },
      { role: 'user', content: 'And?' },
      { role: 'assistant', content: 'Say: Bye' },
    ])
    const prompts = asked.map((request) => request as { messages: unknown[]; continueFinalMessage?: boolean })
    expect(prompts.map(({ messages, continueFinalMessage }) => [messages.length, continueFinalMessage])).toEqual([
      [2, undefined],
      [5, true],
    ])
    const bare = { ...lm, canChat: false }
    await expect(script('user "a"\nassistant "[b]"').run(bare)).rejects.toThrow(UnsupportedError)
  })

  it('keeps values data: nothing in them is read as a script', async () => {
    const { lm, asked } = answering({})
    const value = '[x: int] {name} " where\nif true: <|im_end|>'
    const made = await script('"{value}[y]"').run(lm, { value })
    expect(made.text).toBe(value)
    expect(asked[0]).toMatchObject({ prompt: value })
    expect(asked[0]).not.toHaveProperty('allowSpecial')
  })

  it('sets what holes are drawn with, from there on', async () => {
    const { lm, asked } = answering({})
    await script('seed 7\n"[a]"\ntemperature 0.5\nmax_tokens 9\ntop_p 0.9\n"[b]"').run(lm)
    expect(asked).toMatchObject([
      { seed: 7, maxNewTokens: 256 },
      { seed: 8, maxNewTokens: 9, temperature: 0.5, topP: 0.9 },
    ])
    await script('"[a]"').run(lm, {}, { seed: 3, adapter: null, cacheSalt: 's' })
    expect(asked[2]).toMatchObject({ seed: 3, cacheSalt: 's' })
  })

  it('tells its text as it comes, with the holes', async () => {
    const { lm } = answering({ 'a:': ' bc.\n' })
    const pieces: ScriptPiece[] = []
    for await (const piece of script('"a: [x].\\n"').stream(lm)) pieces.push(piece)
    expect(pieces[0]).toEqual({ text: 'a: ' })
    expect(
      pieces
        .filter(({ hole }) => hole === 'x')
        .map(({ text }) => text)
        .join(''),
    ).toBe('bc')
    expect(pieces.filter(({ hole }) => hole === 'x').length).toBeGreaterThan(1)
    expect(pieces.at(-1)).toEqual({ text: '.\n' })
  })

  it('asks a service for each hole, with the text so far', async () => {
    const { model, asked } = service(['3', '"Warm."'], 'json_schema')
    const made = await script(REVIEW).run(model, { review: 'x' })
    expect(made.text).toBe('Review: x\nStars (1-5): 3\nIn one sentence: Warm.')
    expect(asked.map(({ messages, structure }) => [messages.at(-1)!.content, structure])).toEqual([
      [
        WORDINGS.goOn.replace('{text}', 'Review: x\nStars (1-5): '),
        { json_schema: { type: 'integer', minimum: 1, maximum: 5 } },
      ],
      [
        WORDINGS.goOn.replace('{text}', 'Review: x\nStars (1-5): 3\nIn one sentence: '),
        { json_schema: { type: 'string' } },
      ],
    ])
  })

  it('asks a service again where a value or a text does not do', async () => {
    const { model, asked } = service(['9', '4', '"No end"', '"An end."'])
    const made = await script(REVIEW).run(model, { review: 'x' })
    expect(made.values).toEqual({ stars: 4, why: 'An end.' })
    expect(asked).toHaveLength(4)
    expect(String(asked[1]!.messages.at(-1)!.content)).toContain('must keep to 1 <= stars <= 5')
    expect(String(asked[3]!.messages.at(-1)!.content)).toContain('stops_at(why, ".")')
    const turns = service(['Hello.', 'there'])
    await script('user "a"\nassistant "[b] and [c]"').run(turns.model)
    expect(turns.asked.map(({ messages }) => messages.map(({ content }) => content))).toEqual([
      ['a'],
      ['a', 'Hello. and ', WORDINGS.goOnAnswer],
    ])
  })

  it('shows every call in a trace, and in a dry run what would be asked', async () => {
    const { lm, asked } = answering({ 'Stars (1-5):': ' 5\n', 'In one sentence:': ' Warm.' })
    const review = script(REVIEW, { name: 'review.ps' })
    const { calls } = await trace(() => review.run(lm, { review: 'x' }))
    expect(calls.map(({ path, text, notes }) => [path, text, notes])).toEqual([
      [['review.ps'], 'Review: x\nStars (1-5):', [{ by: 'script', hole: 'stars', where: ['1 <= stars <= 5'] }]],
      [
        ['review.ps'],
        'Review: x\nStars (1-5): 5\nIn one sentence:',
        [{ by: 'script', hole: 'why', where: ['len(words(why)) < 20', 'stops_at(why, ".")'] }],
      ],
    ])
    expect(calls[0]!.ids).toEqual(lm.encode({ prompt: calls[0]!.text! }))
    const before = asked.length
    const dry = await dryRun(() => review.run(lm, { review: 'x' }))
    expect(dry.value.values).toEqual({ stars: 1, why: '(why)', sorry: '(sorry)' })
    expect(dry.calls).toHaveLength(3)
    expect(asked).toHaveLength(before)
    expect((await dryRun(() => review.run(service([]).model, { review: 'x' }))).value.values.stars).toBe(1)
  })

  it('refuses variables that do not fit before it asks anything', async () => {
    const { lm, asked } = answering({})
    const run = (text: string, variables: Record<string, unknown>) => script(text, { name: 'a.ps' }).run(lm, variables)
    const cases: [string, Record<string, unknown>, RegExp][] = [
      [
        '"[x]{name}"',
        {},
        /^a\.ps:1:6: expected a variable 'name', got none\. Give name \(on the command line, --var name=VALUE\)$/,
      ],
      ['"[stars: int]{star}"', {}, /Did you mean 'stars'\?$/],
      ['"[x]{review}"', { reveiw: 'a' }, /Did you mean 'reveiw'\?$/],
      ['"[x]"', { x: 'a' }, /^variables: expected none, got 'x', which is a hole in a\.ps$/],
      ['"{review}[x]"', { review: 'a', n: 'a' }, /^variables: expected review, got 'n', which is another in a\.ps$/],
      ['input n: int\n"[x]"', { n: 'two' }, /^variables: expected a whole number for n, got "two"$/],
      ['input n: list\n"[x]"', { n: 3 }, /^variables: expected a list for n, got 3$/],
      ['"[x]{n}"', { n: () => 1 }, /^variables: expected what JSON can say for n/],
      ['"[x]{n}"', { n: Number.NaN }, /^variables: expected what JSON can say for n, got NaN$/],
      ['"[x]"\nif n < 3: "a"', { n: 'a' }, /^a\.ps:2:6: expected two numbers or two texts to compare/],
    ]
    for (const [text, variables, message] of cases) await expect(run(text, variables)).rejects.toThrow(message)
    expect(asked).toEqual([])
    const made = await run('input n: int\ninput l: list = []\ninput b: bool\n"{n + 1}{len(l)}{b}"', {
      n: '2',
      b: 'true',
    })
    expect(made.text).toBe('30true')
    expect(script('input n: int = 2\n"{n}"').variables).toEqual([{ name: 'n', isOptional: true }])
    await expect(script('"[a]"').run(lm, {}, { seeds: 1 } as object)).rejects.toThrow(UsageError)
  })

  it.each([
    ['repeat 10000:\n  repeat 10000:\n    let x = 1', /expected at most 10000 steps/],
    ['repeat 10001: "a"', /expected a whole number from 0 to 10000 after repeat, got 10001/],
    ['repeat 1.5: "a"', /got 1\.5$/],
    ['let s = "ab"\nrepeat 100: let s = s + s', /expected at most 1000000 characters in a text/],
    ['let s = ["ab"]\nrepeat 100: let s = s + s', /expected at most 100000 values in a list/],
    ['let s = "ab"\nrepeat 18: let s = s + s\nrepeat 9: "{s}"', /expected at most 1000000 characters in all/],
    [
      'let s = "ab"\nrepeat 18: let s = s + s\nrepeat 9000: let n = len(words(s))',
      /expected values of at most 500000000/,
    ],
    ['let x = 1 / len("")', /expected another number than 0 after \//],
    ['let x = words("a b")[2]', /expected a place from 0 to 1 in this list, got 2/],
    ['"[x: one of words("")]"', /expected texts that are not empty after one of/],
    ['repeat 400:\n  let x = 1e200 * 1e200', /one too large/],
  ])('ends, whatever a stranger writes: %j', async (text, message) => {
    const { lm } = answering({})
    const error = await script(text)
      .run(lm)
      .catch((e: unknown) => e)
    expect(error).toBeInstanceOf(ScriptError)
    expect((error as Error).message).toMatch(message)
  })

  it('stops when it is told to', async () => {
    const { lm } = answering({})
    const stop = new AbortController()
    const pieces = script('"a"\n"b"\n"[c]"').stream(lm, {}, { signal: stop.signal })
    await pieces.next()
    stop.abort()
    await expect(pieces.next()).rejects.toThrow(/abort/)
  })

  it('reads a file, and prints itself in one form', () => {
    expect(() => script({ file: 'no-such-file.ps' })).toThrow(/no-such-file/)
    expect(() => script(3 as never)).toThrow(UsageError)
    expect(String(script('# a\nif 1<2: "b"'))).toBe('if 1 < 2:\n  "b"\n')
  })
})
