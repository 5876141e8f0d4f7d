// `anneal gate` as work: questions are asked both ways, a probe is fitted, all gates are measured on the same questions.
import { InputError } from '../../errors.ts'
import { bestThreshold } from '../../eval/gates/gate-curve.ts'
import { type GateRecord, isWanted, rightness } from '../../eval/gates/gate-record.ts'
import { atThreshold, gateReport } from '../../eval/gates/gate-report.ts'
import { splitByEntity } from '../../eval/gates/split-by-entity.ts'
import { writeFileAtomic } from '../../files/atomic-write.ts'
import { readJsonFile } from '../../files/read-json.ts'
import { fitProbe, type ProbeOptions } from '../../methods/ei-arag/ei-arag.ts'
import {
  CHECK_TEXT,
  type ProbeReading,
  probeProbability,
  promptVector,
  type QuestionProbe,
  questionVector,
} from '../../prompting/base/question-probe.ts'
import { writeQuestionProbe } from '../../prompting/base/question-probe-file.ts'
import { counted, percent } from '../../report/amounts.ts'
import { Count, eventsOf, type WorkEvent } from '../../work.ts'
import { gateLines, gatePage } from './gate-page.ts'
import { type GateSource, withGateRecords } from './gate-source.ts'
import { type GateSweep, sweepGates, type VectorRecord } from './sweep-gates.ts'

/** What is fitted, and where it goes. */
export interface FitGateOptions extends GateSource, Omit<ProbeOptions, 'seed' | 'signal'> {
  /** The probe's file. */
  out: string
  /** Default 1. */
  layer?: number
  /** Default `alone`, the paper's. `prompt` needs a chat template. */
  reading?: ProbeReading
}

/** What came of fitting. */
export interface FittedGate {
  out: string
  questions: number
  /** Those that the probe was not fitted or tuned to, of which the accuracies are. */
  tested: number
  threshold: number | null
  /** On questions that were neither fitted nor tuned on. */
  accuracy: number
  retrieved: number
  accuracy_none: number
  accuracy_full: number
}

/** Fits a probe of one layer and writes it, with its threshold tuned on questions of their own. */
export async function* fitGate(
  options: FitGateOptions,
  { signal }: { signal?: AbortSignal | undefined } = {},
): AsyncGenerator<WorkEvent, FittedGate> {
  yield { type: 'started', work: 'gate fit' }
  const { out, layer = 1, label = 'better', seed = 0, reading = 'alone' } = options
  const result = yield* eventsOf(
    (watch) =>
      withGateRecords(options, watch, async (lm, records) => {
        const [train, validation, test] = splitByEntity(records, { seed }) as [GateRecord[], GateRecord[], GateRecord[]]
        const wanted = train.filter((record) => isWanted(rightness(record), label)).length
        if (wanted === 0 || wanted === train.length)
          throw new InputError(
            `records: expected questions with and without retrieval wanted (${label}), got ${wanted} of ${train.length} with it. Ask more questions; the answers are kept in ${options.records}`,
          )
        const vectorOf = reading === 'prompt' ? promptVector : questionVector
        const count = new Count(watch, { label: 'reading questions', unit: 'questions', total: records.length })
        const examples = async (part: readonly GateRecord[]) => {
          const found = []
          for (const record of part) {
            const vector = await vectorOf(lm, record.question, layer, { signal: watch.signal! })
            found.push({ vector, isWanted: isWanted(rightness(record), label) })
            count.add(1)
          }
          return found
        }
        const [fitted, tuned, held] = [await examples(train), await examples(validation), await examples(test)]
        const { layers } = fitProbe(fitted, tuned, { ...probeOptions(options), seed, signal: watch.signal! })
        const width = fitted[0]!.vector.length
        const scores = (part: readonly { vector: Float32Array }[]) =>
          part.map(({ vector }) => probeProbability({ layers, width }, vector))
        const threshold = bestThreshold(scores(tuned), validation.map(rightness))
        const check = await questionVector(lm, CHECK_TEXT, layer)
        const probe: QuestionProbe = {
          model: lm.info ?? { name: options.model },
          layer,
          width,
          ...(reading === 'prompt' && { reading }),
          label,
          threshold,
          layers,
          check,
        }
        writeQuestionProbe(out, probe)
        const report = gateReport(test, atThreshold(scores(held), threshold))
        const shareOf = (of: 'closed' | 'retrieved') => test.filter((one) => rightness(one)[of]).length / test.length
        return {
          out,
          questions: records.length,
          tested: test.length,
          threshold: Number.isFinite(threshold) ? threshold : null,
          accuracy: report.accuracy,
          retrieved: report.retrieverCalls,
          accuracy_none: shareOf('closed'),
          accuracy_full: shareOf('retrieved'),
        }
      }),
    { signal },
  )
  yield { type: 'saved', what: 'probe', path: out }
  const { accuracy, retrieved, accuracy_none, accuracy_full } = result
  const line = `accuracy ${percent(accuracy)} with ${percent(retrieved)} retrieved; none ${percent(accuracy_none)}, full ${percent(accuracy_full)}; of ${counted(result.tested, 'question')} that it was not fitted to`
  yield { type: 'result', result, lines: [line] }
  return result
}

/** What is measured, and where it goes. */
export interface SweepGatesOptions extends GateSource, Omit<ProbeOptions, 'seed' | 'signal'> {
  /** The page; its figures go beside it, as `.json`. */
  out: string
}

/** Measures every gate, probes of every layer among them, and writes a page and its figures. */
export async function* runGateSweep(
  options: SweepGatesOptions,
  { signal }: { signal?: AbortSignal | undefined } = {},
): AsyncGenerator<WorkEvent, GateSweep & { model: string }> {
  yield { type: 'started', work: 'gate sweep' }
  const { out, label = 'better', seed = 0, model } = options
  const sweep = yield* eventsOf(
    (watch) =>
      withGateRecords(options, watch, async (lm, records) => {
        const layers = lm.layers ?? 0
        const count = new Count(watch, { label: 'reading questions', unit: 'questions', total: records.length })
        const read: VectorRecord[] = []
        for (const record of records) {
          const vectors: Float32Array[] = []
          const vectorSeconds: number[] = []
          for (let layer = 0; layer <= layers; layer++) {
            const began = performance.now()
            vectors.push(await questionVector(lm, record.question, layer, { signal: watch.signal! }))
            vectorSeconds.push((performance.now() - began) / 1000)
          }
          const questionTokens = lm.encode({ prompt: record.question }).length
          read.push({ ...record, vectors, vectorSeconds, questionTokens })
          count.add(1)
        }
        const words = (question: string) => lm.encode({ prompt: question, addSpecialTokens: false }).map(String)
        const found = await sweepGates(
          read,
          { ...probeOptions(options), label, seed, words, config: lm.model.config },
          watch,
        )
        return { model: lm.info?.name ?? model, ...found }
      }),
    { signal },
  )
  yield* written(sweep, out)
  return sweep
}

/** Makes the page and the lines of a sweep again from its figures. */
export async function* reportGates(
  path: string,
  out: string,
): AsyncGenerator<WorkEvent, GateSweep & { model: string }> {
  const sweep = readJsonFile(path) as GateSweep & { model: string }
  if (!Array.isArray(sweep?.gates) || sweep.questions === undefined)
    throw new InputError(`${path}: expected figures of anneal gate sweep, got another file`)
  yield { type: 'started', work: 'gate report' }
  writeFileAtomic(out, gatePage(sweep, sweep.model))
  yield { type: 'saved', what: 'page', path: out }
  yield { type: 'result', result: sweep, lines: gateLines(sweep) }
  return sweep
}

function* written(sweep: GateSweep & { model: string }, out: string): Generator<WorkEvent> {
  writeFileAtomic(figuresOf(out), `${JSON.stringify(sweep)}\n`)
  writeFileAtomic(out, gatePage(sweep, sweep.model))
  yield { type: 'saved', what: 'figures', path: figuresOf(out) }
  yield { type: 'saved', what: 'page', path: out }
  yield { type: 'result', result: sweep, lines: gateLines(sweep) }
}

const figuresOf = (out: string): string => `${out.replace(/\.html$/, '')}.json`

function probeOptions({ hidden, learningRate, epochs, batchSize, balanced, standardize }: ProbeOptions): ProbeOptions {
  return {
    ...(hidden !== undefined && { hidden }),
    ...(learningRate !== undefined && { learningRate }),
    ...(epochs !== undefined && { epochs }),
    ...(batchSize !== undefined && { batchSize }),
    ...(balanced !== undefined && { balanced }),
    ...(standardize !== undefined && { standardize }),
  }
}
