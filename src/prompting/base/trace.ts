// What a program asked of its models: every call with its exact text, where in the program it was, and what wrappers on the way decided.
// Nothing is recorded unless asked for.

import { AsyncLocalStorage } from 'node:async_hooks'
import { messageOf } from '../../errors.ts'
import { checkOutputFile } from '../../files/output-file.ts'
import { checkOptionNames } from '../../option-names.ts'
import { collectAnswer } from './collect-answer.ts'
import { type Cost, costOf } from './cost.ts'
import type { ModelAnswer, ModelCall, ModelPiece, ModelSetup } from './model-call.ts'
import { saveTrace } from './trace-file.ts'
import type { Trace, TracedCall, TraceNote } from './traced-call.ts'

/** What `trace` and `dryRun` give. */
export interface Traced<T> extends Trace {
  readonly value: T
}

/** An error of a traced program: what had been asked until then. */
export interface WithCalls {
  calls?: readonly TracedCall[]
}

/** Where a trace goes. */
export interface TraceOptions {
  /** A file for `readTrace`, also where the program throws. Where it cannot be written, a warning of the process says so. */
  file?: string
}

interface Recording {
  readonly calls: TracedCall[]
  readonly began: number
  readonly isDry: boolean
}

/** Where in a program something is asked. */
interface Place {
  readonly recording: Recording | undefined
  readonly path: readonly string[]
  /** The call that is being answered, and what is noted of it. */
  readonly inside?: { readonly id: number; readonly notes: TraceNote[] }
}

const places = new AsyncLocalStorage<Place>()

/**
 * Runs a program and tells what it asked. Where it throws, the error has the `calls` until then.
 *
 * @example
 * const { value, calls } = await trace(() => headline(article), { file: 'headline.jsonl' })
 */
export function trace<T>(program: () => Promise<T>, options: TraceOptions = {}): Promise<Traced<T>> {
  return record(program, false, options)
}

/**
 * Runs a program without a model: every answer is made up, the prompts are the real ones. What a program does with answers that it
 * did not expect is its own matter. Wrappers are not entered, so what they would add is not shown.
 */
export function dryRun<T>(program: () => Promise<T>): Promise<Traced<T>> {
  return record(program, true, {})
}

async function record<T>(program: () => Promise<T>, isDry: boolean, options: TraceOptions): Promise<Traced<T>> {
  checkOptionNames('trace', options, { file: true })
  const { file } = options
  if (file !== undefined) checkOutputFile(file, 'file')
  const recording: Recording = { calls: [], began: performance.now(), isDry }
  const made = { calls: recording.calls, began: Date.now(), ...(isDry && { isDry }) }
  try {
    const value = await places.run({ recording, path: places.getStore()?.path ?? [] }, program)
    if (file !== undefined) save(file, made)
    return { value, ...made }
  } catch (error) {
    if (error instanceof Error && Object.isExtensible(error)) (error as WithCalls).calls = recording.calls
    if (file !== undefined) save(file, { ...made, fault: messageOf(error) })
    throw error
  }
}

/** A program's value, or its error, is not lost to a disk that is full: a warning of the process tells that there is no file. */
function save(file: string, made: Trace): void {
  try {
    saveTrace(file, made)
  } catch (error) {
    process.emitWarning(`trace: ${file} was not written: ${messageOf(error)}`, 'AnnealTraceWarning')
  }
}

/** Gives a function a name in traces. */
export function program<A extends readonly unknown[], R>(
  name: string,
  run: (...given: A) => Promise<R>,
): (...given: A) => Promise<R> {
  return (...given) => {
    const { path = [], ...place } = places.getStore() ?? { recording: undefined }
    return places.run({ ...place, path: [...path, name] }, () => run(...given))
  }
}

/** Whether models are to answer at all. */
export const isDryRun = (): boolean => places.getStore()?.recording?.isDry ?? false

/** Tells the trace, if there is one, what was decided or met while the call at hand is answered: `note('cache', { hit: true })`. */
export function note(by: string, what: Readonly<Record<string, unknown>>): void {
  places.getStore()?.inside?.notes.push({ by, ...what })
}

/** What a call is recorded of. */
export interface Recorded {
  readonly name: string
  readonly setup?: ModelSetup
  readonly cost?: Cost
  read?(call: ModelCall): { text?: string; ids?: readonly number[] }
}

/** The calls on record, by the pieces of their answers. */
const entries = new WeakMap<object, Entry>()

/**
 * Adds to what is on record of an answer, by its pieces: why it was not good enough, or which refused call it makes good. Gives the
 * call's id, where it is on record.
 */
export function amend(pieces: object, more: Pick<TracedCall, 'fault' | 'again'>): number | undefined {
  return entries.get(pieces)?.add(more)
}

/**
 * Pieces of an answer, on record where somebody wants to know. What `answer` does runs inside the call, so that calls which it makes
 * have it as their parent. A wrapper (`isWrapper`) read nothing and cost nothing itself. `again`: whose answer was refused.
 */
export function recordedPieces(
  answer: () => AsyncIterable<ModelPiece>,
  backend: Recorded,
  call: ModelCall,
  isWrapper = false,
): AsyncIterable<ModelPiece> {
  const place = places.getStore()
  if (place?.recording === undefined) return answer()
  const entry = new Entry(place, place.recording, backend, call, isWrapper)
  const pieces = follow(answer, entry)
  entries.set(pieces, entry)
  return pieces
}

/** The same for what comes at once: the log-probabilities of texts. */
export async function recordedScores(
  score: () => Promise<Record<string, number>>,
  backend: Recorded,
  call: ModelCall,
  isWrapper: boolean,
): Promise<Record<string, number>> {
  const place = places.getStore()
  if (place?.recording === undefined) return score()
  const entry = new Entry(place, place.recording, backend, call, isWrapper)
  try {
    entry.read()
    const scores = await places.run(entry.inside, score)
    entry.add({ scores })
    return scores
  } catch (error) {
    entry.add({ fault: messageOf(error) })
    throw error
  }
}

async function* follow(
  answer: () => AsyncIterable<ModelPiece>,
  entry: Entry,
): AsyncGenerator<ModelPiece, void, undefined> {
  const pieces: ModelPiece[] = []
  let iterator: AsyncIterator<ModelPiece> | undefined
  let isEnded = false
  try {
    entry.read()
    iterator = places.run(entry.inside, () => answer()[Symbol.asyncIterator]())
    for (;;) {
      const next = await places.run(entry.inside, () => iterator!.next())
      if (next.done === true) break
      if (pieces.length === 0) entry.first()
      pieces.push(next.value)
      // What is over is on record before anybody hears of it.
      if (next.value.finishReason !== undefined) {
        isEnded = true
        entry.end(await collectAnswer(pieces))
      }
      yield next.value
    }
    iterator = undefined
  } catch (error) {
    isEnded = true
    iterator = undefined
    entry.add({ fault: messageOf(error) })
    throw error
  } finally {
    if (!isEnded) entry.end(await collectAnswer([...pieces, cut(pieces)]))
    if (iterator !== undefined) await places.run(entry.inside, async () => iterator!.return?.())
  }
}

/** The end of an answer that nobody listened to any more. */
function cut(pieces: readonly ModelPiece[]): ModelPiece {
  const completionTokens = pieces.reduce((sum, { tokenIds }) => sum + tokenIds.length, 0)
  const usage = { promptTokens: 0, completionTokens, reasoningTokens: 0 }
  return { deltas: [], tokenIds: [], finishReason: 'aborted', usage }
}

/** A call on record, from its beginning on. */
class Entry {
  readonly inside: Place
  readonly #calls: TracedCall[]
  readonly #backend: Recorded
  readonly #began = performance.now()
  readonly #isWrapper: boolean
  readonly #isDry: boolean
  #now: TracedCall

  constructor(place: Place, recording: Recording, backend: Recorded, call: ModelCall, isWrapper: boolean) {
    const { signal: _, ...asked } = call
    const notes: TraceNote[] = []
    const id = recording.calls.length
    this.#calls = recording.calls
    this.#backend = backend
    this.#isWrapper = isWrapper
    this.#isDry = recording.isDry
    this.#now = {
      id,
      ...(place.inside !== undefined && { parent: place.inside.id }),
      path: place.path,
      model: backend.name,
      ...(isWrapper && { isWrapper }),
      ...(!isWrapper && backend.setup !== undefined && { setup: backend.setup }),
      call: asked,
      at: this.#began - recording.began,
      took: 0,
      notes,
    }
    this.#calls[id] = this.#now
    this.inside = { ...place, inside: { id, notes } }
  }

  /** Notes what the model will read. */
  read(): void {
    if (!this.#isWrapper || this.#isDry) this.add(this.#backend.read?.(this.#now.call) ?? {})
  }

  first(): void {
    this.add({ first: performance.now() - this.#began })
  }

  end(answer: ModelAnswer): void {
    const { cost } = this.#backend
    const isPaid = cost !== undefined && !this.#isWrapper && !this.#isDry
    this.add({ answer, ...(isPaid && { cost: costOf(answer.usage, cost) }) })
  }

  /** Its id. */
  add(more: Partial<TracedCall>): number {
    const isOver =
      more.answer !== undefined ||
      more.scores !== undefined ||
      (more.fault !== undefined && this.#now.answer === undefined)
    this.#now = { ...this.#now, ...more, ...(isOver && { took: performance.now() - this.#began }) }
    this.#calls[this.#now.id] = this.#now
    return this.#now.id
  }
}
