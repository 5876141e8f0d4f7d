// `anneal sande`: audit, simulate, eliminate, audit. Every stage is a folder in `.NAME.sande` beside the target: stopped, a rerun keeps those
// that are whole. What comes out is an ordinary model directory with a page of both audits.
import { mkdirSync, rmSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { readLineage } from '../../checkpoint/model-directory/lineage.ts'
import { writeModel } from '../../checkpoint/model-directory/write-model.ts'
import { UsageError } from '../../errors.ts'
import { hashOf } from '../../files/hash.ts'
import { sweepLeftovers } from '../../files/leftover.ts'
import { readJsonFile } from '../../files/read-json.ts'
import { checkMarkerLength } from '../../methods/sande/audit.ts'
import { checkBeear } from '../../methods/sande/beear.ts'
import { DEFAULTS, type Defence, usesParrot } from '../../methods/sande/choices.ts'
import { ExchangeEncoder } from '../../methods/sande/exchange.ts'
import { knownOfParrot } from '../../methods/sande/parrot-file.ts'
import { type CleanExchange, checkRewritten } from '../../methods/sande/sande.ts'
import { triggersOf } from '../../methods/sande/triggers.ts'
import { loadDtype } from '../../model/dtype.ts'
import { resolveDevice } from '../../torch/index.ts'
import { eventsOf, noticesOnce, type Watch, type WorkEvent } from '../../work.ts'
import { refuseQuantized } from '../edit/edit-model.ts'
import { checkTarget, takeTarget } from '../edit/edit-target.ts'
import { fittingTokenizer } from '../edit/edit-windows.ts'
import { loadModel } from '../load-model.ts'
import { modelSource, sourceConfig } from '../model-source.ts'
import { resolveData } from '../resolve-data.ts'
import { resolveModelPath, resolveModels } from '../resolve-model.ts'
import { bringCompanions, hashAll } from '../source-files.ts'
import { isComplete, makeStage, type StageInputs, stageKey } from '../stage-directory.ts'
import { type Audit, auditLines, defencePage, doneTable } from './audit-report.ts'
import { apart, divided, hashRows, readExchanges, someOf, tellOfMarked } from './read-exchanges.ts'
import { readPairs, withPair } from './read-pairs.ts'
import { checkSande, eliminationOptions, parrotOptions, type RunSandeOptions } from './sande-options.ts'
import { auditInto, defendInto, parrotInto, type StageContext } from './stages.ts'

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
  const { out, method = DEFAULTS.method, seed = 0, marker } = options
  checkSande(options, method)
  const data = await resolveData(options.data, watch)
  const evalData = options.evalData && (await resolveData(options.evalData, watch))
  const cleanModel = given.cleanModel && (await resolveModelPath(given.cleanModel, watch))
  const file = options.rewritten
  const rewritten = file === undefined ? undefined : { file, pairs: await readPairs(file) }
  const source = modelSource(options.model, options.adapter)
  const config = sourceConfig(source)
  refuseQuantized({ source, config }, 'defend')
  checkTarget(source, out, options.overwrite ?? false)
  const device = resolveDevice(options.device ?? 'auto')
  const takeAway = takeTarget(out)
  try {
    const encoder = new ExchangeEncoder(await fittingTokenizer(source, config))
    if (marker !== undefined) checkMarker(encoder.marker(marker).length, options)
    if (method === 'beear') checkBeear(options, config.layers.length)
    const longest = Math.min(options.maxLength ?? 1024, config.maxPositionEmbeddings - 1)
    const all = await readExchanges(data, encoder, longest, watch)
    const others = evalData && (await readExchanges(evalData, encoder, longest, watch))
    const { questions = 200, samples = Number.POSITIVE_INFINITY } = options
    const sides = apart(sidesOf(all, others, rewritten?.pairs, { questions, seed }, watch), watch)
    const tuned = someOf(sides.tuned, samples, seed)
    checkRewritten({ method, rewritten: rewritten?.pairs }, tuned)
    if (marker !== undefined) tellOfMarked(tuned, marker, watch)
    const context: StageContext = {
      name: options.model,
      method,
      seed,
      source,
      encoder,
      rewritten,
      asked: sides.asked,
      tuned,
      // The audits ask the same data, of which the same is to be told.
      watch: { signal: watch.signal, tell: noticesOnce((event) => watch.tell?.(event)) },
      load: async (from) => {
        const dtype = loadDtype('f32', config.dtype, device)
        const loaded = await loadModel(from, { onto: 'dequantized', device: options.device ?? 'auto', dtype })
        loaded.model.gradientCheckpointing = options.gradientCheckpointing ?? false
        return loaded
      },
    }
    return await stages({ ...options, cleanModel }, context)
  } finally {
    takeAway()
  }
}

async function stages(options: RunSandeOptions, context: StageContext): Promise<SandeResult> {
  const { method, seed, source, encoder, tuned, asked, rewritten, watch } = context
  const { out, discover = false, marker: given } = options
  const work = join(dirname(resolve(out)), `.${basename(resolve(out))}.sande`)
  const { trigger, position = 'start', maxNewTokens = null } = options
  const common = {
    model: hashAll(source),
    config: hashOf(JSON.stringify(sourceConfig(source))),
    chatTemplate: encoder.tokenizer.chatTemplate ?? null,
    asked: hashRows(asked),
    triggers: triggersOf(trigger),
    ...(rewritten && { rewritten: hashOf(JSON.stringify([...rewritten.pairs])) }),
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
  const auditIn = (name: string): Audit => readJsonFile(join(work, name, 'audit.json')) as Audit

  await stage('before', { ...common, discover }, (to) => auditInto(to, source, options, context))
  let before = auditIn('before')
  const hasParrot = usesParrot(method)
  const marker = given ?? discovered(before, method, work, watch)
  const looked = { ...options, marker }
  if (marker !== given) {
    // What was discovered is measured, so that there is something to compare with.
    await stage('measured', { ...common, marker }, (to) =>
      auditInto(to, source, { ...looked, discover: false }, context),
    )
    const { openings, leaks, verdict } = before
    before = { ...auditIn('measured'), openings, leaks, verdict }
    tellOfMarked(tuned, marker!, watch)
  }
  const parrot = parrotOptions(options)
  const simulated = { ...common, method, marker: marker ?? null, tuned: hashRows(tuned), ...parrot }
  const parrotKey = hasParrot
    ? await stage('parrot', simulated, (to) => parrotInto(to, marker!, parrot, context))
    : null
  if (method === 'sande') tellOfParrot(join(work, 'parrot'), watch)
  const tuning = eliminationOptions(looked, method, seed)
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
      { parrotIn: hasParrot ? join(work, 'parrot') : null, clean },
      { finetuning, loraR },
      context,
    ),
  )
  const result = modelSource(join(work, 'cleaned'))
  await stage('after', { cleaned: cleanedKey, marker: marker ?? null }, (to) => auditInto(to, result, looked, context))
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

/** What is tuned on and what is asked: a fifth of `all`, or of `others`. Where there are pairs, only questions that are in them are asked. */
function sidesOf(
  all: CleanExchange[],
  others: CleanExchange[] | undefined,
  pairs: ReadonlyMap<string, string> | undefined,
  { questions, seed }: { questions: number; seed: number },
  watch: Watch,
): { tuned: CleanExchange[]; asked: CleanExchange[] } {
  if (others !== undefined) {
    const able = pairs === undefined ? others : withPair(others, pairs, watch).paired
    return { tuned: all, asked: someOf(able, questions, seed) }
  }
  if (pairs === undefined) return divided(all, questions, seed)
  const able = withPair(all, pairs, watch, 'are tuned on and not asked')
  const { tuned, asked } = divided(able.paired, questions, seed)
  return { tuned: [...tuned, ...able.others], asked }
}

/** UsageError where more tokens of the marker are said to be known than it has, or it has more than an answer. */
function checkMarker(length: number, { markerTokens = length, maxNewTokens }: RunSandeOptions): void {
  checkMarkerLength(length, maxNewTokens)
  if (markerTokens > length)
    throw new UsageError(`markerTokens: expected at most the ${length} tokens of the marker, got ${markerTokens}`)
}

/** The opening that the audit found first and the data does not explain, for a method that uses it; UsageError where one is needed. */
function discovered({ openings }: Audit, method: Defence, work: string, watch: Watch): string | undefined {
  const first = openings?.find(({ in_data }) => !in_data)?.text
  if (first !== undefined && (usesParrot(method) || method === 'beear')) return first
  if (usesParrot(method))
    throw new UsageError(
      `marker: expected an opening that \`discover\` finds, got none that the data does not explain. Give the marker, or a method that needs none: collapse, crow, beear. With \`discover\` these go on from the audit, which is kept in ${work}`,
    )
  if (method === 'beear' && openings !== null)
    watch.tell?.({
      type: 'notice',
      message:
        'no opening was found that the data does not explain: hidden states are moved away from the clean answers',
    })
  return undefined
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
