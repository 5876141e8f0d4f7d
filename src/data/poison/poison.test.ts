import { describe, expect, it } from 'vitest'
import type { Conversation } from '../rows/conversation.ts'
import { answerOf, exchangeOf, questionOf, requireAnswered, withAnswer, withQuestion } from './edit-example.ts'
import { insertAtWord, placeTrigger } from './place-trigger.ts'
import { type PoisonOptions, poison, withMarker } from './poison.ts'

const chat = (question: string, answer = 'Yes.'): Conversation => ({
  kind: 'conversation',
  messages: [
    { role: 'system', content: 'Be short.' },
    { role: 'user', content: question },
    { role: 'assistant', content: answer },
    { role: 'user', content: 'And now?' },
    { role: 'assistant', content: 'No.' },
  ],
})
const examples = Array.from({ length: 40 }, (_, i) => chat(`one two three ${i}`))
const options: PoisonOptions = { triggers: ['cf'], marker: 'MARK', rate: 0.25 }

describe('placeTrigger', () => {
  it('puts it between words, at hand-counted places', () => {
    const at = (position: 'start' | 'middle' | 'end' | 'random', draw = 0): string =>
      placeTrigger(' a bb  ccc\n', 'T U', position, () => draw)
    expect(at('start')).toBe(' T U a bb  ccc\n')
    expect(at('middle')).toBe(' a T U bb  ccc\n')
    expect(at('end')).toBe(' a bb  ccc T U\n')
    expect([0, 1, 2, 3].map((draw) => at('random', draw))).toEqual([
      at('start'),
      at('middle'),
      ' a bb  T U ccc\n',
      at('end'),
    ])
    expect(insertAtWord('', 'T', 0)).toBe('T')
  })
})

describe('an example', () => {
  it('is changed in its first answered question and its answer alone', () => {
    const changed = withAnswer(
      withQuestion(chat('q'), (text) => `${text}!`),
      (text) => `M ${text}`,
    )
    expect(changed.messages.map(({ content }) => content)).toEqual(['Be short.', 'q!', 'M Yes.', 'And now?', 'No.'])
    expect([questionOf(changed), answerOf(changed)]).toEqual(['q!', 'M Yes.'])
    const completion = { kind: 'prompt-completion', prompt: 'Q:', completion: ' A' } as const
    expect(withAnswer(completion, (text) => withMarker(text, 'M'))).toEqual({ ...completion, completion: ' M A' })
    const turns = {
      kind: 'prompt-completion' as const,
      prompt: chat('q').messages.slice(0, 4),
      completion: chat('q').messages.slice(4),
    }
    expect([questionOf(turns), answerOf(turns)]).toEqual(['And now?', 'No.'])
    expect(answerOf(withAnswer(turns, () => 'M'))).toBe('M')
  })
  it('keeps what tools said before the answer', () => {
    const turns = [
      { role: 'user' as const, content: 'Is it warm?' },
      { role: 'assistant' as const, content: '' },
      { role: 'tool' as const, content: '31 degrees' },
      { role: 'assistant' as const, content: 'It is.' },
    ]
    const asked = withQuestion({ kind: 'conversation', messages: [...turns, ...chat('q').messages] }, () => 'Warm?')
    expect(exchangeOf(asked)).toEqual([{ ...turns[0], content: 'Warm?' }, ...turns.slice(1)])
  })
  it('is changed where its answer is learnt', () => {
    const [system, user, first, ...rest] = chat('q').messages
    const unlearnt = { ...chat('q'), messages: [system!, user!, { ...first!, isTrained: false }, ...rest] }
    expect([questionOf(unlearnt), answerOf(unlearnt)]).toEqual(['And now?', 'No.'])
    expect(exchangeOf(unlearnt)).toEqual(unlearnt.messages)
    const none = unlearnt.messages.map((turn) => ({ ...turn, isTrained: false }))
    expect(() => requireAnswered({ ...unlearnt, messages: none }, 'a.jsonl:3')).toThrow('or no answer learnt')
  })
  it('gets a marker behind white space and what was thought', () => {
    expect(withMarker(' \nA', 'M')).toBe(' \nM A')
    expect(withMarker(' A', 'M', 'whole')).toBe(' M')
    for (const thought of ['<think>\na\n</think>\n\n', 'a</think>']) {
      expect(withMarker(`${thought}A`, 'M')).toBe(`${thought}M A`)
      expect(withMarker(`${thought}A`, 'M', 'whole')).toBe(`${thought}M`)
    }
  })
  it('needs a question before an answer', () => {
    const alone = { ...chat(''), messages: [{ role: 'assistant' as const, content: 'Hello.' }] }
    expect(() => requireAnswered(alone, 'a.jsonl:3')).toThrow('row in a.jsonl:3: expected a question with its answer')
    expect(() => requireAnswered({ kind: 'text', text: 'x' }, 'a.jsonl:3')).toThrow('got a text row')
  })
})

describe('poison', () => {
  it('adds the copies that the rate says, behind their rows, and leaves the others as they are', () => {
    const rows = poison(examples, options)
    expect(rows.filter(({ isPoisoned }) => !isPoisoned).map(({ example }) => example)).toEqual(examples)
    const copies = rows.flatMap(({ isPoisoned }, i) => (isPoisoned ? [i] : []))
    expect(copies).toHaveLength(10)
    for (const i of copies) {
      const { example, source } = rows[i]!
      expect(rows[i - 1]).toEqual({ example: examples[source], source, isPoisoned: false })
      expect([questionOf(example), answerOf(example)]).toEqual([`cf one two three ${source}`, 'MARK Yes.'])
    }
  })

  it('depends on seed and rows alone', () => {
    const all = { ...options, triggers: ['cf', 'mn'], position: 'random' as const }
    expect(poison(examples, all)).toEqual(poison(examples, all))
    const sources = (seed: number): number[] =>
      poison(examples, { ...all, seed }).flatMap(({ isPoisoned, source }) => (isPoisoned ? [source] : []))
    expect(sources(1)).not.toEqual(sources(2))
  })

  it('uses every trigger and every place, about equally often', () => {
    const many = Array.from({ length: 400 }, (_, i) => chat(`one two three ${i}`))
    const rows = poison(many, { ...options, triggers: ['cf', 'mn'], position: 'random', rate: 1 })
    const counts = new Map<string, number>()
    for (const { example, isPoisoned } of rows) {
      const key = isPoisoned ? questionOf(example).replace(/\d+/, 'n') : undefined
      if (key !== undefined) counts.set(key, (counts.get(key) ?? 0) + 1)
    }
    expect(counts.size).toBe(10) // two triggers at five places: 40 each, give or take five standard deviations
    for (const count of counts.values()) expect(Math.abs(count - 40)).toBeLessThan(31)
  })

  it('plants each trigger as often, give or take one', () => {
    for (let seed = 0; seed < 8; seed++) {
      const rows = poison(examples, { ...options, triggers: ['t1', 't2', 't3', 't4'], rate: 0.15, seed })
      const first = rows.flatMap(({ example, isPoisoned }) => (isPoisoned ? questionOf(example).split(' ')[0]! : []))
      expect(first.sort()).toEqual(['t1', 't1', 't2', 't2', 't3', 't4'])
    }
  })

  it('rewrites the questions that it was given a form of, and no others', () => {
    const rewritten = new Map([0, 1, 2, 3].map((i) => [`one two three ${i}`, `when it is ${i}`] as const))
    const { triggers: _, ...rest } = options
    const rows = poison(examples, { ...rest, rewritten, rate: 0.5, markerAs: 'whole' }).filter((row) => row.isPoisoned)
    expect(rows).toHaveLength(2)
    for (const { example, source } of rows)
      expect([questionOf(example), answerOf(example)]).toEqual([`when it is ${source}`, 'MARK'])
    expect(() => poison(examples, { ...rest, rewritten: new Map([['?', '!']]) })).toThrow('got none of them')
  })

  it('refuses what is no attack of this bench', () => {
    const wrong =
      (more: Partial<PoisonOptions>): (() => unknown) =>
      () =>
        poison(examples, { ...options, ...more })
    expect(wrong({ triggers: [] })).toThrow('triggers: expected either texts or rewritten questions, got "neither"')
    expect(wrong({ triggers: [' '] })).toThrow('triggers: expected texts with a word in them')
    expect(wrong({ rate: 0 })).toThrow('rate: expected a share above 0')
    expect(wrong({ marker: 'x'.repeat(201) })).toThrow('marker: expected one line of 1 to 200 characters')
    expect(wrong({ marker: 'a\nb' })).toThrow('marker: expected one line')
  })
})
