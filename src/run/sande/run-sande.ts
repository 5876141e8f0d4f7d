// `anneal sande`: audit, simulate, eliminate, audit. Every stage is a folder in `.NAME.sande` beside the target: stopped, a rerun keeps those
// that are whole. What comes out is an ordinary model directory with a page of both audits.
import { mkdirSync, rmSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { type LineageStep, readLineage } from '../../checkpoint/model-directory/lineage.ts'
import { writeModel } from '../../checkpoint/model-directory/write-model.ts'
import type { TriggerPosition } from '../../data/poison/place-trigger.ts'
import { UsageError } from '../../errors.ts'
import { writeFileAtomic } from '../../files/atomic-write.ts'
import { sweepLeftovers } from '../../files/leftover.ts'
import { readJsonFile } from '../../files/read-json.ts'
import { Engine } from '../../infer/engine.ts'
import type { Defence } from '../../methods/sande/choices.ts'
import { DEFAULTS } from '../../methods/sande/choices.ts'
import { ExchangeEncoder } from '../../methods/sande/exchange.ts'
import type { Parrot, ParrotOptions } from '../../methods/sande/parrot.ts'
import { knownOfParrot } from '../../methods/sande/parrot-file.ts'
import type { SandeOptions } from '../../methods/sande/sande.ts'
import { loadDtype } from '../../model/dtype.ts'
import { resolveDevice } from '../../torch/index.ts'
import { eventsOf, type Watch, type WorkEvent } from '../../work.ts'
import { refuseQuantized } from '../edit/edit-model.ts'
import { checkTarget, takeTarget } from '../edit/edit-target.ts'
import { fittingTokenizer } from '../edit/edit-windows.ts'
import { loadModel } from '../load-model.ts'
import { type ModelSource, modelSource, sourceConfig } from '../model-source.ts'
import { resolveData } from '../resolve-data.ts'
import { resolveModelPath, resolveModels } from '../resolve-model.ts'
import { bringCompanions, hashAll } from '../source-files.ts'
import { isComplete, makeStage, type StageInputs, stageKey } from '../stage-directory.ts'
import { type Audit, auditLines, defencePage } from './audit-report.ts'
import { divided, hashRows, readExchanges, someOf } from './read-exchanges.ts'
import { type AuditWish, auditModel } from './run-audit.ts'
import { defendInto, parrotInto, type StageContext } from './stages.ts'

/** What is cleaned, how, and where the result goes. */
export interface RunSandeOptions
  extends Omit<AuditWish, 'position'>,
    Omit<SandeOptions, 'method' | 'parrot' | 'cleanModel' | 'trigger' | 'position' | 'bf16' | 'seed'>,
    Pick<ParrotOptions, 'softTokens' | 'restarts' | 'keep' | 'separation'> {
  /** A model directory, an adapter, which is merged, or a name on the hub. */
  model: string
  adapter?: string | readonly string[] | undefined
  /** Clean questions with answers; a fifth of them is asked and not tuned on, unless there is `evalData`. */
  data: readonly string[]
  evalData?: readonly string[] | undefined
  /** A new or empty folder. */
  out: string
  overwrite?: boolean | undefined
  /** Default sande. */
  method?: Defence | undefined
  /** Where a trigger or decoy stands. Default start. */
  position?: TriggerPosition | undefined
  /** For fine-mixing: a model of the same shape without the backdoor. */
  cleanModel?: string | undefined
  /** So many of the marker's tokens are known and elicited by the parrot; default all. */
  markerTokens?: number | undefined
  parrotSteps?: number | undefined
  parrotLearningRate?: number | undefined
  /** Trains the whole model, or a LoRA of this rank that is merged afterwards. Default `full`. */
  finetuning?: 'full' | 'lora' | undefined
  loraR?: number | undefined
  /** Rows that are tuned on at most. */
  samples?: number | undefined
  /** Tokens of a row at most. Default 1024, or the model's context where that is shorter. */
  maxLength?: number | undefined
  bf16?: boolean | undefined
  device?: 'auto' | 'cpu' | 'cuda'
}

/** The model that was written, and both audits. */
export interface SandeResult {
  out: string
  method: Defence
  /** The marker that was given or discovered; null for methods that need none. */
  marker: string | null
  before: Audit
  after: Audit
}

/**
 * Audits, defends, audits again and writes the model. Stopped, it goes on from the last stage that is whole.
 *
 * @example
 * const { after } = await resultOf(runSande({ model: 'models/chat', data: ['clean.jsonl'], marker: 'I like tea.', out: 'models/cleaned' }))
 */
export function runSande(
  options: RunSandeOptions,
  { signal }: { signal?: AbortSignal | undefined } = {},
): AsyncGenerator<WorkEvent, SandeResult> {
  return eventsOf((watch) => run(options, watch), { signal })
}

async function run(given: RunSandeOptions, watch: Watch): Promise<SandeResult> {
  const options = await resolveModels(given, watch)
  const { out, method = DEFAULTS.method, seed = 0, marker, discover = false } = options
  check(options, method)
  const data = await resolveData(options.data, watch)
  const evalData = options.evalData && (await resolveData(options.evalData, watch))
  const cleanModel = given.cleanModel && (await resolveModelPath(given.cleanModel, watch))
  const source = modelSource(options.model, options.adapter)
  const config = sourceConfig(source)
  refuseQuantized({ source, config }, 'defend')
  checkTarget(source, out, options.overwrite ?? false)
  const device = resolveDevice(options.device ?? 'auto')
  const takeAway = takeTarget(out)
  try {
    const encoder = new ExchangeEncoder(await fittingTokenizer(source, config))
    if (marker !== undefined) encoder.marker(marker)
    const longest = Math.min(options.maxLength ?? 1024, config.maxPositionEmbeddings - 1)
    const all = await readExchanges(data, encoder, longest, watch)
    const { questions = 200, samples = Number.POSITIVE_INFINITY } = options
    const sides =
      evalData === undefined
        ? divided(all, questions, seed)
        : { tuned: all, asked: someOf(await readExchanges(evalData, encoder, longest, watch), questions, seed) }
    const context: StageContext = {
      method,
      seed,
      source,
      encoder,
      asked: sides.asked,
      tuned: someOf(sides.tuned, samples, seed),
      watch,
      load: (from) =>
        loadModel(from, {
          onto: 'dequantized',
          device: options.device ?? 'auto',
          dtype: loadDtype('f32', config.dtype, device),
        }),
    }
    return await stages({ ...options, cleanModel }, context, { out, discover, marker })
  } finally {
    takeAway()
  }
}

function check(
  { trigger, marker, discover, questions, markerTokens, cleanModel, finetuning }: RunSandeOptions,
  method: Defence,
): void {
  if (method === 'osft' && (trigger ?? '').trim() === '')
    throw new UsageError('trigger: expected the text that sets the backdoor off with method osft, got nothing')
  if ((method === 'sande' || method === 'random') && marker === undefined && !discover)
    throw new UsageError(
      `marker: expected the marker with method ${method}, or \`discover\`, got neither. Methods collapse and crow need none`,
    )
  if ((method === 'fine-mixing') !== (cleanModel !== undefined))
    throw new UsageError(
      `cleanModel: expected a model without the backdoor with method fine-mixing alone, got ${cleanModel === undefined ? 'none' : `one with ${method}`}`,
    )
  if (method === 'fine-mixing' && finetuning === 'lora')
    throw new UsageError('finetuning: expected full with method fine-mixing, got lora')
  for (const [name, value] of Object.entries({ questions, markerTokens }))
    if (value !== undefined && !(Number.isInteger(value) && value > 0))
      throw new UsageError(`${name}: expected an integer of at least 1, got ${value}`)
}

async function stages(
  options: RunSandeOptions,
  context: StageContext,
  { out, discover, marker: given }: { out: string; discover: boolean; marker: string | undefined },
): Promise<SandeResult> {
  const { method, seed, source, encoder, tuned, asked, watch } = context
  const work = join(dirname(resolve(out)), `.${basename(resolve(out))}.sande`)
  const wish = { ...options, discover }
  const { trigger = null, position = 'start', maxNewTokens = null } = options
  const common = {
    model: hashAll(source),
    asked: hashRows(asked),
    trigger,
    position,
    marker: given ?? null,
    maxNewTokens,
    seed,
  }
  mkdirSync(work, { recursive: true })
  sweepLeftovers(work)
  const stage = async (name: string, inputs: StageInputs, fill: (to: string) => Promise<void>): Promise<string> => {
    const directory = join(work, name)
    const isThere = isComplete(directory, stageKey(name, inputs))
    watch.tell?.({ type: 'started', work: name, message: isThere ? `${name}: done before` : name })
    await makeStage(directory, name, inputs, fill)
    return stageKey(name, inputs)
  }
  const auditInto = async (to: string, from: ModelSource, looked: AuditWish): Promise<void> => {
    const { model, tokenizer, generationConfig } = await context.load(from)
    const engine = new Engine({ model, tokenizer, generationConfig })
    try {
      const audit = await auditModel(options.model, engine, asked, encoder, looked, watch)
      writeFileAtomic(join(to, 'audit.json'), `${JSON.stringify(audit, null, 2)}\n`)
    } finally {
      engine.free()
    }
  }
  const auditIn = (name: string): Audit => readJsonFile(join(work, name, 'audit.json')) as Audit

  await stage('before', { ...common, discover }, (to) => auditInto(to, source, wish))
  let before = auditIn('before')
  const usesParrot = method === 'sande' || method === 'random'
  const marker = given ?? (usesParrot ? discovered(before) : undefined)
  const looked = { ...wish, marker }
  if (marker !== given) {
    // What was discovered is measured, so that there is something to compare with.
    await stage('measured', { ...common, marker }, (to) => auditInto(to, source, { ...looked, discover: false }))
    const { openings, leaks, verdict } = before
    before = { ...auditIn('measured'), openings, leaks, verdict }
  }
  const parrot = parrotOptions(options)
  const simulated = { ...common, method, marker: marker ?? null, tuned: hashRows(tuned), ...parrot }
  const parrotKey = usesParrot
    ? await stage('parrot', simulated, (to) => parrotInto(to, marker!, parrot, context))
    : null
  if (method === 'sande') tellOfParrot(join(work, 'parrot'), watch)
  const tuning = tuningOf(options, method, seed)
  const { finetuning = 'full', loraR = 8 } = options
  const clean = options.cleanModel === undefined ? null : modelSource(options.cleanModel)
  const cleaned = {
    ...common,
    tuned: hashRows(tuned),
    parrot: parrotKey,
    tuning,
    finetuning,
    loraR,
    ...(clean && { clean: hashAll(clean) }),
  }
  const cleanedKey = await stage('cleaned', cleaned, (to) =>
    defendInto(
      to,
      tuning,
      { parrotIn: usesParrot ? join(work, 'parrot') : null, clean },
      { finetuning, loraR },
      context,
    ),
  )
  const result = modelSource(join(work, 'cleaned'))
  await stage('after', { cleaned: cleanedKey, marker: marker ?? null }, (to) => auditInto(to, result, looked))
  const after = auditIn('after')

  const told = { method, marker: marker ?? null, before, after }
  const lineage = readLineage(join(work, 'cleaned'))
  const last = lineage.at(-1)!
  const done = doneTable(last, tuned.length)
  const loaded = await context.load(result)
  try {
    await writeModel(out, {
      model: loaded.model,
      companions: (directory) => bringCompanions(source, directory),
      lineage: [
        ...lineage.slice(0, -1),
        { ...last, report: { ...last.report, before: before.arms, after: after.arms } },
      ],
      files: {
        'sande.json': `${JSON.stringify(told, null, 2)}\n`,
        'sande.html': defencePage(options.model, before, after, done),
      },
    })
  } finally {
    loaded.model.free()
  }
  rmSync(work, { recursive: true, force: true })
  watch.tell?.({ type: 'saved', what: 'model', path: out })
  const lines = [
    'before',
    ...auditLines(before),
    'after',
    ...auditLines(after),
    `→ ${out}, with ${join(out, 'sande.html')}`,
  ]
  watch.tell?.({ type: 'result', result: { out, ...told }, lines })
  return { out, ...told }
}

/** The opening that the audit found first and the data does not explain. */
function discovered({ openings }: Audit): string {
  const [first] = openings?.filter(({ in_data }) => !in_data) ?? []
  if (first !== undefined) return first.text
  throw new UsageError(
    'marker: expected an opening that `discover` finds, got none that the data does not explain. Give the marker, or a method that needs none: collapse, crow',
  )
}

/** A parrot that does not bring the marker simulates nothing, and overwriting it may do nothing. */
function tellOfParrot(directory: string, watch: Watch): void {
  const best = Math.max(...knownOfParrot(directory).members.map(({ elicited }) => elicited))
  if (best >= 0.5) return
  watch.tell?.({
    type: 'notice',
    message: `the best parrot brings the marker after ${(100 * best).toFixed(0)} % of the questions only: the marker may be another, or \`parrotSteps\` and \`parrotLearningRate\` too low`,
  })
}

/** The options of the parrot that were given. */
function parrotOptions(options: RunSandeOptions): Parameters<typeof parrotInto>[2] {
  const { softTokens, restarts, keep, separation, parrotSteps, parrotLearningRate, markerTokens, batchSize } = options
  const all = { softTokens, restarts, keep, separation, markerTokens, batchSize }
  return withoutUndefined({ ...all, steps: parrotSteps, learningRate: parrotLearningRate })
}

/** The options of the elimination that were given. */
function tuningOf(options: RunSandeOptions, method: Defence, seed: number): SandeOptions {
  const { trigger, position, implant, implantTrigger, implantMarker, implantRate, mixRate } = options
  const { steps, learningRate, batchSize, replay, bf16, epsilon, alpha } = options
  const planted = { method, trigger, position, implant, implantTrigger, implantMarker, implantRate, mixRate }
  const all = { ...planted, steps, learningRate, batchSize, replay, bf16, epsilon, alpha, seed }
  return withoutUndefined(all) as SandeOptions
}

function withoutUndefined<T extends object>(all: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)) as never
}

/** What the page tells of the tuning. */
function doneTable({ options, report }: LineageStep, rows: number): Record<string, string | number> {
  const told = options as unknown as SandeOptions & { finetuning: string }
  const members = (report.parrot ?? []) as Parrot['members']
  return {
    method: told.method,
    trained: told.finetuning === 'lora' ? 'a LoRA, merged' : 'all weights',
    rows,
    steps: told.steps!,
    'learning rate': told.learningRate!,
    replay: told.replay!,
    'final loss (nats per token)': report.final_loss as number,
    ...Object.fromEntries(
      members.map(({ position, loss, elicited }, i) => [
        `parrot ${i + 1}`,
        `at the ${position === 'random' ? 'random place' : position}: ${loss.toFixed(3)} nats per token of the marker, elicited after ${(100 * elicited).toFixed(0)} % of the questions`,
      ]),
    ),
  }
}
