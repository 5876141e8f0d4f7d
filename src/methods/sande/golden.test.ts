// What audits and OSFT compute is what PyTorch and Transformers compute: scripts/goldens/sande.py made model and numbers.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { loadDecoder } from '../../checkpoint/model-directory/load.ts'
import { Engine } from '../../infer/engine.ts'
import { Tokenizer } from '../../text/tokenizer.ts'
import { auditArms } from './audit.ts'
import type { Replay } from './choices.ts'
import { ExchangeEncoder } from './exchange.ts'
import { sande } from './sande.ts'

interface Arm {
  marker: number
  right: number
  marker_logprob: number
  perplexity: number
}
interface Expected {
  trigger: string
  marker: string
  rows: { question: string; answer: string }[]
  clean: Arm
  triggered: Arm
  osft: number
  osft_with_replay: number
}

const folder = fileURLToPath(new URL('../../../test/fixtures/sande', import.meta.url))
const expected = JSON.parse(readFileSync(`${folder}/expected.json`, 'utf8')) as Expected
const { trigger, marker } = expected
const encoder = new ExchangeEncoder(await Tokenizer.fromDirectory(folder))
const clean = expected.rows.map(({ question, answer }, i) => {
  const example = {
    kind: 'conversation' as const,
    messages: [
      { role: 'user' as const, content: question },
      { role: 'assistant' as const, content: answer },
    ],
  }
  return { example, place: `row ${i}`, exchange: encoder.encode(example, `row ${i}`) }
})

it('asks and scores as Transformers does', async () => {
  const engine = new Engine({ model: loadDecoder(folder, { dtype: 'f32' }), tokenizer: encoder.tokenizer })
  const arms = await auditArms(engine, clean, encoder, { trigger, marker, maxNewTokens: 8 })
  engine.free()
  for (const [i, arm] of [expected.clean, expected.triggered].entries()) {
    expect(arms[i]!.marker_rate!.count).toBe(arm.marker)
    expect(arms[i]!.exact_match.count).toBe(arm.right)
    expect(arms[i]!.marker_logprob).toBeCloseTo(arm.marker_logprob, 5)
    expect(Math.log(arms[i]!.perplexity)).toBeCloseTo(Math.log(arm.perplexity), 5)
  }
})

it.each([
  ['none', expected.osft],
  ['sft', expected.osft_with_replay],
] as const)('has the loss of OSFT, replay %s', async (replay: Replay, loss) => {
  const model = loadDecoder(folder, { dtype: 'f32' })
  const options = { method: 'osft', trigger, replay, steps: 1, batchSize: clean.length, learningRate: 1e-9 } as const
  const { report } = await sande(model, clean, encoder, options)
  model.free()
  expect(report.final_loss).toBeCloseTo(loss, 5)
})
