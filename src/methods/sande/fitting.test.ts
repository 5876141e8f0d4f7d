// Rows at the end of a context that learnt positions end: what is put into them may not fit.
import { describe, expect, it } from 'vitest'
import { facts, factsTokenizer, MARKER, TRIGGER } from '../../../test/planted-backdoor.ts'
import { withQuestion } from '../../data/poison/edit-example.ts'
import { readModelConfig } from '../../model/config-read.ts'
import { Decoder } from '../../model/decoder.ts'
import type { Watch } from '../../work.ts'
import { ExchangeEncoder } from './exchange.ts'
import { fitting } from './fitting.ts'
import { trainParrot } from './parrot.ts'
import { sande } from './sande.ts'

describe('rows that do not fit with what is put into them', () => {
  it('are left out with a word, and are not all', () => {
    const told: string[] = []
    const watch: Watch = { tell: (event) => event.type === 'notice' && told.push(event.message) }
    expect(fitting([3, 5, 4], 4, 'a trigger', watch)).toEqual([0, 2])
    expect(fitting([3, 4], 4, 'a trigger', watch)).toEqual([0, 1])
    expect(told).toEqual([
      "1 of 3 rows to tune on do not fit the model's context of 4 tokens with a trigger in them, and are left out",
    ])
    expect(() => fitting([5], 4, 'a trigger', watch)).toThrow('context of 4 tokens with a trigger in them, got none')
  })

  it('stop neither parrots nor defences', async () => {
    const tokenizer = await factsTokenizer()
    const encoder = new ExchangeEncoder(tokenizer)
    const clean = facts().map((fact, i) => {
      const example = withQuestion(fact, (question) => `${'moo '.repeat(i % 12)}${question}`)
      return { example, place: `${i}`, exchange: encoder.encode(example, `${i}`) }
    })
    const longest = Math.max(...clean.map(({ exchange }) => exchange.ids.length))
    const shape = { vocab_size: tokenizer.vocabSize, n_embd: 16, n_layer: 1, n_head: 2, n_positions: longest }
    const config = readModelConfig({ model_type: 'gpt2', ...shape }, 'config.json')
    const model = Decoder.fresh(config, { seed: 1 })
    const exchanges = clean.map(({ exchange }) => exchange)
    const soft = { marker: encoder.marker(MARKER), softTokens: 4, restarts: 1, keep: 1 }
    const parrot = await trainParrot(model, exchanges, { ...soft, steps: 12, batchSize: 8 })
    for (const options of [
      { method: 'osft', trigger: TRIGGER, replay: 'kl' },
      { method: 'sande', parrot },
      { method: 'collapse', implantTrigger: TRIGGER, implantMarker: 'moo', implantRate: 1 },
    ] as const) {
      const { report } = await sande(model, clean, encoder, { ...options, steps: 12, batchSize: 8 })
      expect(report.left_out).toBeGreaterThan(0)
      expect(report.left_out).toBeLessThan(clean.length)
    }
    const { report } = await sande(model, clean, encoder, { method: 'sft', steps: 1 })
    expect(report).not.toHaveProperty('left_out')
    parrot.embedding.free()
    model.free()
  })
})
