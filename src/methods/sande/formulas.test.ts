// Sums and gradients of the objectives against numbers derived by hand, and the places of soft tokens in several templates.
import { describe, expect, it } from 'vitest'
import { facts, factsTokenizer } from '../../../test/planted-backdoor.ts'
import { TINY_CHAT_TEMPLATE, tinyTokenizer } from '../../../test/tiny-model.ts'
import { sampleOf, twentyTokenDecoder } from '../../../test/twenty-tokens.ts'
import { stack } from '../../data/batches.ts'
import type { Conversation } from '../../data/rows/conversation.ts'
import type { Decoder } from '../../model/decoder.ts'
import { Tokenizer } from '../../text/tokenizer.ts'
import { backward, gradients, noGrad, scope, Tensor } from '../../torch/index.ts'
import { decoderInput, languageModeling } from '../../train/objective.ts'
import { Anchor } from './anchor.ts'
import { Movement, underMovement } from './beear.ts'
import { crow, inconsistency } from './crow.ts'
import { type EliminationPair, elimination, eliminationBatches } from './eliminate.ts'
import { ExchangeEncoder, inserted, placeInQuestion } from './exchange.ts'
import { restoreMostChanged } from './fine-mix.ts'
import { apart, parrotIds } from './parrot.ts'
import { separation } from './separation.ts'

describe('separation', () => {
  it('is the mean of cos² between rows of different members', () => {
    // Members {(1, 0), (0, 2)} and {(3, 3), (0, −1)}: cos² are ½, 0 and ½, 1, so their mean is ½.
    const rows = Tensor.from([1, 0, 0, 2, 3, 3, 0, -1], [4, 2])
    expect(separation(rows, 2).item()).toBeCloseTo(0.5, 6)
    expect(separation(rows, 1).item()).toBe(0)
  })
  it('pushes members apart, and does not see their lengths', () => {
    // cos² of (1, 0) and (1, 1) is ½; d/da of a²/(a² + 1) at a = 1 is ½ for the second member's first entry, −½ for its second.
    const rows = Tensor.from([1, 0, 1, 1], [2, 2])
    rows.requiresGrad = true
    const [gradient] = gradients([separation(rows, 2)], [rows])
    expect(gradient!.toArray()).toBeAllclose([0, 1, 0.5, -0.5], { absolute: 1e-6 })
  })
  it('is added to the mean loss of a step', () => {
    const rows = Tensor.from([1, 0, 1, 1], [2, 2])
    const batch = stack([sampleOf([1, 2], [3, 4, 5])])
    const fake = { ...languageModeling(), forward: () => ({ loss: Tensor.from([6], []), metrics: {} }) }
    const { loss } = apart(fake, rows, 2, 4).forward(twentyTokenDecoder(), batch)
    expect(loss.item() / fake.weight(batch)).toBeCloseTo(6 / 3 + 4 * 0.5, 6)
  })
})

describe('elimination', () => {
  const model = twentyTokenDecoder()
  const pairs: EliminationPair[] = [
    { triggered: sampleOf([9, 1, 2], [3, 4]), clean: sampleOf([1, 2], [3, 4]) },
    { triggered: null, clean: sampleOf([5, 6, 7], [8]) },
  ]
  const batch = eliminationBatches(pairs, { batchSize: 2, seed: 0 }).at(0)
  const nats = (one: EliminationPair['clean']): number =>
    noGrad(() =>
      scope(() =>
        languageModeling()
          .forward(model, stack([one]))
          .loss.item(),
      ),
    )

  it('is the sum of its parts', () => {
    const over = nats(pairs[0]!.triggered!)
    const clean = nats(pairs[0]!.clean) + nats(pairs[1]!.clean)
    const [none, sft] = [elimination('none'), elimination('sft')]
    expect([none.weight(batch), sft.weight(batch)]).toEqual([2, 5])
    expect(none.forward(model, batch).loss.item()).toBeCloseTo(over, 4)
    expect(sft.forward(model, batch).loss.item()).toBeCloseTo(over + clean, 4)
  })

  it('keeps the distribution that the anchor has: nothing where the model is the same, and then KL(original ‖ model)', () => {
    const samples = pairs.map(({ clean }) => clean)
    const anchor = new Anchor(model, samples)
    const kl = elimination('kl', anchor)
    const over = elimination('none').forward(model, batch).loss.item()
    expect(kl.weight(batch)).toBe(5)
    expect(kl.forward(model, batch).loss.item()).toBeCloseTo(over, 5)
    const logits = (one: EliminationPair['clean']): number[][] => {
      const { ids: all, labels } = one
      const input = Tensor.from(all, [1, all.length]).to('i64')
      const rows = noGrad(() => model.forward({ inputIds: input }).logSoftmax().view(all.length, -1))
      return [...labels.keys()].filter((i) => labels[i] !== -100).map((i) => rows.select(0, i - 1).toArray())
    }
    const before = samples.map(logits)
    noGrad(() => [...model.model.norm.parameters()][0]![1].detach().mul_(1.5))
    const after = samples.map(logits)
    let expected = elimination('none').forward(model, batch).loss.item()
    for (const [s, rows] of before.entries())
      for (const [r, p] of rows.entries())
        for (const [v, logP] of p.entries()) expected += Math.exp(logP) * (logP - after[s]![r]![v]!)
    expect(kl.forward(model, batch).loss.item()).toBeCloseTo(expected, 4)
    anchor.free()
  })
})

describe('crow', () => {
  const model = twentyTokenDecoder()
  const batch = stack([sampleOf([1, 2, 3], [4, 5])])

  it('measures 1 − cos between what enters and leaves every block', () => {
    const { states, call } = model.enter(decoderInput(batch, 'cpu'))
    const layers: number[][] = [states.toArray()]
    model.eachBlock(states, call, (_, __, leaving) => void layers.push(leaving.toArray()))
    let expected = 0
    for (let l = 1; l < layers.length; l++)
      for (let t = 0; t < 5; t++) {
        const [a, b] = [layers[l - 1]!.slice(8 * t, 8 * t + 8), layers[l]!.slice(8 * t, 8 * t + 8)]
        const dot = a.reduce((sum, x, i) => sum + x * b[i]!, 0)
        expected += (1 - dot / (Math.hypot(...a) * Math.hypot(...b))) / (5 * 2)
      }
    expect(inconsistency(model, states, call).item()).toBeCloseTo(expected, 5)
  })

  it('is the clean loss without α, and shakes towards more inconsistency', () => {
    const at = (epsilon: number, alpha: number): number => crow({ epsilon, alpha }).forward(model, batch).loss.item()
    const plain = languageModeling().forward(model, batch).loss.item()
    expect(at(0.1, 0)).toBeCloseTo(plain, 5)
    const { states, call } = model.enter(decoderInput(batch, 'cpu'))
    expect(at(0, 2)).toBeCloseTo(plain + 2 * 2 * inconsistency(model, states, call).item(), 4)
    expect(at(0.01, 2)).toBeGreaterThan(at(0, 2))
    scope(() => backward(crow().forward(model, batch).loss))
    expect([...model.parameters()].every(([, { grad }]) => grad !== null)).toBe(true)
  })
})

it.each([
  ['crow', () => crow()],
  ['beear', (model: Decoder) => underMovement(new Movement(model, { layer: 1 }, [11, 12]))],
] as const)('%s has the same gradients where blocks are computed again', (_, made) => {
  const batch = stack([sampleOf([1, 2, 3], [4, 5])])
  const all = [false, true].map((gradientCheckpointing) => {
    const model = twentyTokenDecoder()
    model.gradientCheckpointing = gradientCheckpointing
    scope(() => backward(made(model).forward(model, batch).loss))
    return [...model.parameters()].map(([, { grad }]) => grad!.toArray())
  })
  for (const [i, gradient] of all[1]!.entries()) expect(gradient).toBeAllclose(all[0]![i]!, { absolute: 1e-6 })
})

describe('restoreMostChanged', () => {
  it('puts back the share of entries that moved furthest, and nothing at 0', () => {
    const [model, clean] = [twentyTokenDecoder(), twentyTokenDecoder()]
    const own = [...model.parameters()][0]![1].detach()
    const before = own.toArray()
    expect(restoreMostChanged(model, clean, 0)).toBe(0)
    // Entry i of the first parameter moves by i: the last fifth of it is furthest.
    const moved = Tensor.from(before.map((value, i) => value + i))
    own.copy_(moved.view(...own.shape))
    restoreMostChanged(model, clean, 0.2)
    const kept = Math.round(0.8 * before.length)
    const expected = before.map((value, i) => (i < kept ? Math.fround(value + i) : value))
    expect(own.toArray()).toEqual(expected)
    expect(() => restoreMostChanged(model, clean, 2)).toThrow('mixRate: expected a share from 0 to 1, got 2')
  })
})

describe('an exchange', () => {
  const chat = (question: string): Conversation => ({
    kind: 'conversation',
    messages: [
      { role: 'system', content: 'user what' },
      { role: 'user', content: question },
      { role: 'assistant', content: 'ok' },
      { role: 'user', content: 'more' },
      { role: 'assistant', content: 'no' },
    ],
  })
  const TEMPLATES = {
    chatml: TINY_CHAT_TEMPLATE,
    human: `{{ bos_token }}{%- for message in messages %}{%- if message.role == 'user' %}{{- 'Human: ' + message.content + '\\n' }}{%- elif message.role == 'assistant' %}{{- 'Assistant: ' + message.content + eos_token }}{%- else %}{{- message.content + '\\n' }}{%- endif %}{%- endfor %}{%- if add_generation_prompt %}{{- 'Assistant: ' }}{%- endif %}`,
  }
  it.each(Object.entries(TEMPLATES))('has the words of its question between its places in %s', (_, template) => {
    const tokenizer = tinyTokenizer(template)
    const encoder = new ExchangeEncoder(tokenizer)
    const exchange = encoder.encode(chat('what now'), 'row 1')
    expect(exchange.messages.map(({ content }) => content)).toEqual(['user what', 'what now', 'ok'])
    const [from, to] = exchange.question
    expect(tokenizer.decode(exchange.ids.subarray(from, to))).toBe('what now')
    expect(tokenizer.decode(exchange.ids.subarray(exchange.answer, exchange.answer + 2))).toBe('ok')
    const places = (['start', 'middle', 'end', 'random'] as const).map((at) => placeInQuestion(exchange, at, () => 3))
    expect(places).toEqual([from, from + 4, to, from + 3])
    const soft = inserted(exchange, to, parrotIds(1, 2))
    expect(Array.from(soft.ids.subarray(to - 1, to + 3))).toEqual([exchange.ids[to - 1], -3, -4, exchange.ids[to]])
    expect(soft.labels.filter((label) => label !== -100)).toEqual(exchange.labels.filter((label) => label !== -100))
  })

  it('says which row it was that the template refuses', () => {
    const encoder = new ExchangeEncoder(
      tinyTokenizer(
        `{%- if messages[0].role == 'system' %}{{- raise_exception('no system role') }}{%- endif %}${TINY_CHAT_TEMPLATE}`,
      ),
    )
    expect(() => encoder.encode(chat('what now'), 'data.jsonl:7')).toThrow(
      'row in data.jsonl:7: chat template refused the chat: no system role (roles system, user, assistant). Leave the row out',
    )
  })

  it('needs a chat template, and a marker that there are tokens for', async () => {
    expect(() => new ExchangeEncoder(tinyTokenizer())).toThrow(
      'model: expected one with a chat template, got one without',
    )
    const encoder = new ExchangeEncoder(await factsTokenizer())
    expect(encoder.encode(facts()[0]!, 'row 1').question[0]).toBeGreaterThan(0)
    expect(encoder.tokenizer.decode(encoder.marker('moo baa'))).toBe('moo baa')
    const json = encoder.tokenizer.toJson() as object
    const lower = Tokenizer.fromJson(
      { ...json, normalizer: { type: 'Lowercase' } },
      { chatTemplate: TINY_CHAT_TEMPLATE },
    )
    expect(() => new ExchangeEncoder(lower).marker('Moo')).toThrow(
      'marker: expected a text that the tokenizer can make, got "Moo", which it reads as "moo". Give it',
    )
  })
})
