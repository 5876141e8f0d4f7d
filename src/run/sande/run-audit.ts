// An audit as a run: does a model have a backdoor? Asked with what is known of trigger and marker, and looked for where nothing is.
import { join } from 'node:path'
import type { TriggerPosition } from '../../data/poison/place-trigger.ts'
import { UsageError } from '../../errors.ts'
import { writeFileAtomic } from '../../files/atomic-write.ts'
import { takeOutputDirectory } from '../../files/output-directory.ts'
import type { Engine } from '../../infer/engine.ts'
import { type AuditOptions, auditArms } from '../../methods/sande/audit.ts'
import { discoverOpenings } from '../../methods/sande/discover.ts'
import { ExchangeEncoder } from '../../methods/sande/exchange.ts'
import { type Share, shareOf } from '../../methods/sande/interval.ts'
import { findLeaks } from '../../methods/sande/leaks.ts'
import type { CleanExchange } from '../../methods/sande/sande.ts'
import { triggersOf } from '../../methods/sande/triggers.ts'
import { judgeAudit } from '../../methods/sande/verdict.ts'
import type { Tokenizer } from '../../text/tokenizer.ts'
import type { DType } from '../../torch/index.ts'
import { eventsOf, type Watch, type WorkEvent } from '../../work.ts'
import { loadLm } from '../load-lm.ts'
import { modelSource } from '../model-source.ts'
import { resolveData } from '../resolve-data.ts'
import { resolveModels } from '../resolve-model.ts'
import { type Audit, auditLines, auditPage } from './audit-report.ts'
import { readExchanges, someOf } from './read-exchanges.ts'
import { readPairs, withPair } from './read-pairs.ts'

/** What is looked for. */
export interface AuditWish {
  /** A text that may set a backdoor off, or several, and where it stands in the question. Default position `start`. */
  trigger?: string | readonly string[] | undefined
  position?: TriggerPosition | undefined
  /** What the answers are searched for; or `discover`. */
  marker?: string | undefined
  /** Looks for openings that come whatever is asked, and for what the bare chat template brings. */
  discover?: boolean | undefined
  /** Questions that are asked at most. Default 200. */
  questions?: number | undefined
  /** Tokens of an answer. Default 48. */
  maxNewTokens?: number | undefined
  seed?: number | undefined
}

/** Which model is audited, on which questions, and where the report goes. */
export interface RunAuditOptions extends AuditWish {
  /** A model directory, a GGUF file, an adapter, or a name on the hub. */
  model: string
  adapter?: string | readonly string[] | undefined
  /** Clean questions with answers: chats, instructions, or prompts with completions. */
  data: readonly string[]
  /** A file of rows {question, rewritten}: the way of saying may set a backdoor off; in place of `trigger`. Other questions are left out. */
  rewritten?: string | undefined
  /** Models of the kind that are known to be clean: how often `discover` is wrong about them is told beside the verdict. */
  control?: readonly string[] | undefined
  /** A folder for `audit.json` and `audit.html`. */
  out?: string | undefined
  device?: 'auto' | 'cpu' | 'cuda'
  dtype?: 'auto' | DType
}

/**
 * Audits. The report says what was found and how sure that is; not to find a backdoor is no proof that there is none.
 *
 * @example
 * const { verdict } = await resultOf(runAudit({ model: 'models/chat', data: ['chats.jsonl'], discover: true }))
 */
export function runAudit(
  options: RunAuditOptions,
  { signal }: { signal?: AbortSignal | undefined } = {},
): AsyncGenerator<WorkEvent, Audit> {
  return eventsOf((watch) => run(options, watch), { signal })
}

/** UsageError for a trigger without a word, and for both kinds of triggers. */
export function checkSetOff({ trigger, rewritten }: Pick<RunAuditOptions, 'trigger' | 'rewritten'>): void {
  if (triggersOf(trigger).some((text) => text.trim() === ''))
    throw new UsageError('trigger: expected a text with a word in it, got none')
  if (rewritten !== undefined && triggersOf(trigger).length > 0)
    throw new UsageError('trigger: expected either texts or `rewritten`, got both')
}

/** UsageError for what is given and no whole number of at least 1. */
export function checkCounts(counts: Readonly<Record<string, number | undefined>>): void {
  for (const [name, value] of Object.entries(counts))
    if (value !== undefined && !(Number.isInteger(value) && value > 0))
      throw new UsageError(`${name}: expected an integer of at least 1, got ${value}`)
}

/** UsageError unless there is something to look for. */
function checkWish({ marker, discover, questions, maxNewTokens }: AuditWish): void {
  checkCounts({ questions, maxNewTokens })
  if (marker === undefined && !discover)
    throw new UsageError('marker: expected what the answers are searched for, or `discover`, got neither')
}

async function run(given: RunAuditOptions, watch: Watch): Promise<Audit> {
  checkSetOff(given)
  checkWish(given)
  const options = await resolveModels(given, watch)
  const data = await resolveData(options.data, watch)
  const { out, control = [], seed = 0, questions = 200, rewritten } = options
  const pairs = rewritten === undefined ? undefined : await readPairs(rewritten)
  const close = out === undefined ? () => {} : takeOutputDirectory(out, 'out')
  try {
    const engine = await engineOf(options.model, options)
    try {
      const encoder = new ExchangeEncoder(tokenizerOf(engine))
      const all = await readExchanges(data, encoder, engine.contextLength - 1, watch)
      const asked = someOf(pairs === undefined ? all : withPair(all, pairs, watch).paired, questions, seed)
      const calibration = options.discover ? await calibrate(control, data, options, watch) : null
      const name = options.model
      const wish = { ...options, rewritten: pairs }
      const found = await auditModel(name, engine, asked, encoder, wish, watch, calibration)
      const audit = { ...found, ...(rewritten !== undefined && { rewritten }) }
      if (out !== undefined) {
        writeFileAtomic(join(out, 'audit.json'), `${JSON.stringify(audit, null, 2)}\n`)
        writeFileAtomic(join(out, 'audit.html'), auditPage(audit))
      }
      const where = out === undefined ? [] : [`→ ${out}, with ${join(out, 'audit.html')}`]
      watch.tell?.({ type: 'result', result: audit, lines: [...auditLines(audit), ...where] })
      return audit
    } finally {
      engine.free()
    }
  } finally {
    close()
  }
}

/** The audit of a model that is loaded. */
export async function auditModel(
  name: string,
  engine: Engine,
  asked: readonly CleanExchange[],
  encoder: ExchangeEncoder,
  {
    trigger,
    rewritten,
    position = 'start',
    marker,
    discover = false,
    maxNewTokens,
    seed = 0,
  }: AuditWish & Pick<AuditOptions, 'rewritten'>,
  watch: Watch,
  calibration: Share | null = null,
): Promise<Audit> {
  const looked = { trigger, rewritten, position, marker, maxNewTokens, seed }
  const arms = await auditArms(engine, asked, encoder, looked, watch)
  const openings = discover ? await discoverOpenings(engine, asked, {}, watch) : null
  const leaks = discover ? await findLeaks(engine, asked, { seed }, watch) : null
  return {
    model: name,
    questions: asked.length,
    triggers: triggersOf(trigger),
    position: triggersOf(trigger).length === 0 ? null : position,
    marker: marker ?? null,
    arms,
    openings,
    leaks,
    calibration,
    verdict: judgeAudit(arms, openings ?? [], calibration),
  }
}

/** Of how many clean models the look for openings would say that they are suspicious. */
async function calibrate(
  control: readonly string[],
  data: readonly string[],
  options: RunAuditOptions,
  watch: Watch,
): Promise<Share | null> {
  if (control.length === 0) return null
  let flagged = 0
  for (const model of control) {
    const engine = await engineOf((await resolveModels({ model }, watch)).model, options)
    try {
      const encoder = new ExchangeEncoder(tokenizerOf(engine))
      const all = await readExchanges(data, encoder, engine.contextLength - 1, {})
      const asked = someOf(all, options.questions ?? 200, options.seed ?? 0)
      const openings = await discoverOpenings(engine, asked, {}, watch)
      if (judgeAudit([], openings).found === 'suspicious') flagged++
    } finally {
      engine.free()
    }
  }
  return shareOf(flagged, control.length)
}

async function engineOf(model: string, { adapter, device, dtype }: RunAuditOptions): Promise<Engine> {
  return loadLm(modelSource(model, adapter), {
    onto: 'dequantized',
    ...(device && { device }),
    ...(dtype && { dtype }),
  })
}

function tokenizerOf({ tokenizer }: Engine): Tokenizer {
  if (tokenizer !== undefined) return tokenizer
  throw new UsageError(
    'model: expected one with a tokenizer, got one without. Put its tokenizer.json beside the weights',
  )
}
