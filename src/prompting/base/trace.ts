// What a program asked of its models: every call with its exact text, and where in the program it was. Nothing is recorded unless asked for.

import { AsyncLocalStorage } from 'node:async_hooks'
import type { ChatAnswer } from '../../chat/answer.ts'
import { messageOf } from '../../errors.ts'
import type { ModelCall } from './model-call.ts'

/** One call of a model. */
export interface TracedCall {
  /** The programs that it was made in, the outermost first. */
  readonly path: readonly string[]
  readonly model: string
  /** What was asked, with the seed that it was drawn with. */
  readonly call: ModelCall
  /** The very text that the model read, and its ids, where the model tells them. */
  readonly text?: string
  readonly ids?: readonly number[]
  /** What came; in a dry run what stands for it. Undefined where it failed. */
  readonly answer?: ChatAnswer
  /** Why it failed, or why its answer was not good enough and was asked for again. */
  readonly fault?: string
  /** Milliseconds since the trace began, and how long it took. */
  readonly at: number
  readonly took: number
}

/** What `trace` and `dryRun` give. */
export interface Traced<T> {
  value: T
  calls: readonly TracedCall[]
}

interface Recording {
  readonly calls: TracedCall[]
  readonly began: number
  readonly isDry: boolean
}

const recordings = new AsyncLocalStorage<Recording>()
const programs = new AsyncLocalStorage<readonly string[]>()

/** An error of a traced program: what had been asked until then. */
export interface WithCalls {
  calls?: readonly TracedCall[]
}

/**
 * Runs a program and tells what it asked. Where it throws, the error has the `calls` until then.
 *
 * @example
 * const { value, calls } = await trace(() => headline(article))
 */
export function trace<T>(program: () => Promise<T>): Promise<Traced<T>> {
  return record(program, false)
}

/**
 * Runs a program without a model: every answer is made up, the prompts are the real ones. What a program does with answers that it
 * did not expect is its own matter.
 */
export function dryRun<T>(program: () => Promise<T>): Promise<Traced<T>> {
  return record(program, true)
}

async function record<T>(program: () => Promise<T>, isDry: boolean): Promise<Traced<T>> {
  const recording: Recording = { calls: [], began: performance.now(), isDry }
  try {
    return { value: await recordings.run(recording, program), calls: recording.calls }
  } catch (error) {
    if (error instanceof Error) (error as WithCalls).calls = recording.calls
    throw error
  }
}

/** Gives a function a name in traces. */
export function program<A extends readonly unknown[], R>(
  name: string,
  run: (...given: A) => Promise<R>,
): (...given: A) => Promise<R> {
  return (...given) => programs.run([...(programs.getStore() ?? []), name], () => run(...given))
}

/** Whether models are to answer at all. */
export const isDryRun = (): boolean => recordings.getStore()?.isDry ?? false

/** Makes a call and records it, where somebody wants to know. `told` adds what is known besides once it is over. */
export async function recorded(
  model: string,
  call: ModelCall,
  { read, answer }: { read: () => { text?: string; ids?: readonly number[] }; answer: () => Promise<ChatAnswer> },
): Promise<{ answer: ChatAnswer; reject: (fault: string) => void }> {
  const recording = recordings.getStore()
  if (recording === undefined) return { answer: await answer(), reject: () => undefined }
  const index = recording.calls.length
  const began = performance.now()
  const entry = { path: programs.getStore() ?? [], model, call, at: began - recording.began, ...read() }
  recording.calls[index] = { ...entry, took: 0 }
  const over = (more: Partial<TracedCall>): void => {
    recording.calls[index] = { ...entry, took: performance.now() - began, ...more }
  }
  try {
    const made = await answer()
    over({ answer: made })
    return { answer: made, reject: (fault) => over({ answer: made, fault }) }
  } catch (error) {
    over({ fault: messageOf(error) })
    throw error
  }
}
