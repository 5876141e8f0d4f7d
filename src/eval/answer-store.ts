// What a model has answered, by what it was asked, so that work that was stopped goes on and the same question is asked once: a file of JSON
// lines, one appended for each answer.

import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { hashOf } from '../files/hash.ts'
import type { Answer } from './model.ts'
import type { EvalRequest } from './requests.ts'

/** Answers that are known. */
export class AnswerStore {
  readonly #answers = new Map<string, Answer>()
  readonly #file: string | undefined
  #waiting: string[] = []
  /** How many answers the file had. */
  readonly kept: number

  /** With a file, its answers are known and new ones are added to it. Lines that a kill has cut are left out. */
  constructor(file?: string) {
    this.#file = file
    if (file !== undefined && existsSync(file)) this.#read(file)
    this.kept = this.#answers.size
  }

  #read(file: string): void {
    const text = readFileSync(file, 'utf8')
    for (const line of text.split('\n')) {
      try {
        const { key, ...answer } = JSON.parse(line) as Answer & { key: string }
        if (typeof key !== 'string') continue
        // What JSON has no number for is a text there.
        const { sum } = answer
        if (sum !== undefined && !['number', 'string'].includes(typeof sum)) continue
        this.#answers.set(key, sum === undefined ? answer : { ...answer, sum: Number(sum) })
      } catch {
        // The last line of a run that was killed: it is asked again.
      }
    }
    if (text !== '' && !text.endsWith('\n')) appendFileSync(file, '\n')
  }

  get(key: string): Answer | undefined {
    return this.#answers.get(key)
  }

  /** Keeps an answer. A failure is not kept on disk: it is asked again the next time. */
  put(key: string, answer: Answer): void {
    this.#answers.set(key, answer)
    if (this.#file === undefined || answer.failed !== undefined) return
    const { sum } = answer
    const spelled = sum === undefined || Number.isFinite(sum) ? sum : String(sum)
    this.#waiting.push(JSON.stringify({ key, ...answer, ...(sum !== undefined && { sum: spelled }) }))
    if (this.#waiting.length >= 64) this.flush()
  }

  /** Writes what waits. */
  flush(): void {
    if (this.#file === undefined || this.#waiting.length === 0) return
    appendFileSync(this.#file, `${this.#waiting.join('\n')}\n`)
    this.#waiting = []
  }
}

/** Names a request to a model: equal only where the answer must be. */
export function requestKey(identity: string, request: EvalRequest, seed: number): string {
  const isDrawn = request.kind === 'generate_until' && isSampled(request.generation)
  const asked = request.kind === 'generate_until' && !isDrawn ? { ...request, repeat: 0 } : request
  return hashOf(identity, JSON.stringify([asked, isDrawn ? seed : null])).slice(0, 32)
}

function isSampled({ do_sample: samples, temperature }: { do_sample?: boolean; temperature?: number }): boolean {
  return samples === true || (samples === undefined && Number(temperature ?? 0) > 0)
}
