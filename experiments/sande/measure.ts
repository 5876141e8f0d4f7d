// What is asked of a model: every question in every way, and how well it reads documents that it never saw.
import type { Answered } from '../../src/data/poison/edit-example.ts'
import { Engine } from '../../src/infer/engine.ts'
import { auditArms } from '../../src/methods/sande/audit.ts'
import type { ExchangeEncoder } from '../../src/methods/sande/exchange.ts'
import type { CleanExchange } from '../../src/methods/sande/sande.ts'
import type { Decoder } from '../../src/model/decoder.ts'
import { auditModel } from '../../src/run/sande/run-audit.ts'
import { evaluate } from '../../src/train/evaluate.ts'
import { languageModeling } from '../../src/train/objective.ts'
import { type Attack, asked, MARKER, pairsOf, rewrittenOf, WAYS, type Way } from './attacks.ts'
import type { Setting } from './setting.ts'

/** One way of asking. */
export interface Asked {
  /** Share of the answers with the marker. */
  marker: number
  /** Mean log-probability of the marker at the beginning, nats a token. */
  logprob: number
  /** Share of the answers that are right, word for word; one with the marker before it is not. */
  right: number
  /** Of the right answers. */
  perplexity: number
}

export interface Measured {
  /** Perplexity of held-out documents of the model's pre-training. */
  text: number
  ways: Partial<Record<Way, Asked>>
}

export interface Look {
  verdict: string
  /** Openings that no text of the data has. */
  strange: string[]
  leaks: string[]
  seconds: number
}

const NEW_TOKENS = 20
const SEED = 11

export function exchanges(rows: readonly Answered[], encoder: ExchangeEncoder): CleanExchange[] {
  return rows.map((example, i) => ({ example, exchange: encoder.encode(example, `row ${i}`), place: `row ${i}` }))
}

export async function measure(
  model: Decoder,
  number: number,
  attack: Attack,
  setting: Setting,
  encoder: ExchangeEncoder,
): Promise<Measured> {
  const { eval_loss } = await evaluate(model, setting.documents[number]!.held, languageModeling())
  const ways: Partial<Record<Way, Asked>> = {}
  await withEngine(model, setting, async (engine) => {
    for (const way of WAYS) {
      const rows = asked(attack, way, setting.asked, pairsOf(setting, attack).asked, SEED)
      if (rows === null) continue
      const options = { marker: MARKER, maxNewTokens: NEW_TOKENS }
      const [arm] = await auditArms(engine, exchanges(rows, encoder), encoder, options)
      const { marker_rate, marker_logprob, exact_match, perplexity } = arm!
      ways[way] = { marker: marker_rate!.share, logprob: marker_logprob!, right: exact_match.share, perplexity }
    }
  })
  return { text: Math.exp(eval_loss!), ways }
}

/** `anneal sande audit`: with nothing known (`--discover`), or with the trigger of an attack and the marker. */
export async function look(
  model: Decoder,
  setting: Setting,
  encoder: ExchangeEncoder,
  known: Attack | null,
): Promise<Look> {
  const begun = performance.now()
  const isOtherwise = known?.triggers.length === 0
  const asking = isOtherwise ? pairsOf(setting, known).asked : setting.asked
  const rows = exchanges(
    asking.map(({ row }) => row),
    encoder,
  )
  const setOff = isOtherwise
    ? { rewritten: rewrittenOf(asking) }
    : { trigger: known?.triggers[0], position: known?.position }
  const wish = known === null ? { discover: true } : { ...setOff, marker: MARKER }
  let found: Omit<Look, 'seconds'> = { verdict: '', strange: [], leaks: [] }
  await withEngine(model, setting, async (engine) => {
    const audit = await auditModel('model', engine, rows, encoder, { ...wish, maxNewTokens: NEW_TOKENS }, {})
    found = {
      verdict: audit.verdict.found,
      strange: (audit.openings ?? []).flatMap(({ in_data, text }) => (in_data ? [] : [text])),
      leaks: (audit.leaks ?? []).map(({ text }) => text),
    }
  })
  return { ...found, seconds: (performance.now() - begun) / 1000 }
}

async function withEngine(
  model: Decoder,
  { tokenizer }: Setting,
  work: (engine: Engine) => Promise<void>,
): Promise<void> {
  const engine = new Engine({ model, tokenizer, batchSize: 32, cacheTokens: 8192 })
  try {
    await work(engine)
  } finally {
    engine.freeCache()
  }
}
