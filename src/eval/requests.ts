// What is asked of a model for a document: continuations to be judged, texts to be judged, or a beginning to go on from.

import { InputError } from '../errors.ts'
import { contextOf, type FewshotSampler, type PromptOptions } from './prompt.ts'
import type { Task } from './task.ts'
import { brief, type Doc, type GenerationKwargs } from './task-config.ts'

/** One thing to ask. */
export type EvalRequest =
  /** How likely is `continuation` behind `context`? */
  | { kind: 'loglikelihood'; context: string; continuation: string }
  /** How likely is a whole text? */
  | { kind: 'loglikelihood_rolling'; text: string }
  /** How does `context` go on? `repeat` numbers the answers to one question. */
  | { kind: 'generate_until'; context: string; generation: GenerationKwargs; repeat: number }

/** A document with its requests: those of its choices in order, and behind them, for mutual information, the same without a context. */
export interface Asked {
  id: number
  doc: Doc
  /** One list of requests for each request of lm-eval's: as many as the task repeats it. */
  requests: EvalRequest[][]
}

/** The requests of every document whose number `isWanted`; few-shot examples are drawn for the others too, so that a part asks what the whole asks. */
export function requestsOf(
  task: Task,
  sampler: FewshotSampler,
  options: PromptOptions,
  isWanted: (id: number) => boolean,
  end: number = task.docs.length,
): Asked[] {
  const asked: Asked[] = []
  for (let id = 0; id < end; id++) {
    const doc = task.docs[id]!
    const shots = sampler.next(doc)
    if (isWanted(id))
      asked.push({ id, doc, requests: requestsFor(task, doc, id, contextOf(task, doc, id, shots, options), options) })
  }
  return asked
}

function requestsFor(
  task: Task,
  doc: Doc,
  id: number,
  context: string | string[],
  options: PromptOptions,
): EvalRequest[][] {
  const repeated = (request: EvalRequest): EvalRequest[] => Array.from({ length: task.repeats }, () => request)
  switch (task.outputType) {
    case 'loglikelihood':
      return [repeated({ kind: 'loglikelihood', context: context as string, continuation: textTarget(task, doc, id) })]
    case 'loglikelihood_rolling':
      return [repeated({ kind: 'loglikelihood_rolling', text: textTarget(task, doc, id) })]
    case 'generate_until':
      return [
        Array.from({ length: task.repeats }, (_, repeat) => ({
          kind: 'generate_until' as const,
          context: context as string,
          generation: task.generation,
          repeat,
        })),
      ]
    case 'multiple_choice':
      return choiceRequests(task, doc, id, context, options).map(repeated)
  }
}

function choiceRequests(
  task: Task,
  doc: Doc,
  id: number,
  context: string | string[],
  { renderChat }: PromptOptions,
): EvalRequest[] {
  const choices = task.choices(doc, id)
  const { gen_prefix: prefix, metric_list: metrics } = task.config
  // A chat template ends where the answer begins; a beginning of the answer does not.
  const needsNone = renderChat !== undefined && !(prefix !== undefined && prefix !== '' && !/\s$/u.test(prefix))
  const delimiter = needsNone ? '' : task.targetDelimiter
  const pairs: (readonly [string, string])[] =
    typeof context === 'string'
      ? choices.map((choice) => [context, delimiter + choice])
      : context.map((text) => [text, delimiter + textTarget(task, doc, id)])
  if (metrics?.some(({ metric }) => metric === 'acc_mutual_info'))
    pairs.push(...choices.map((choice) => ['', delimiter + choice] as const))
  return pairs.map(([before, continuation]) => ({ kind: 'loglikelihood', context: before, continuation }))
}

function textTarget(task: Task, doc: Doc, id: number): string {
  const target = task.target(doc, id)
  if (typeof target === 'string' && target !== '') return target
  if (typeof target === 'number') return String(target)
  throw new InputError(
    `task ${task.name}, document ${id}, doc_to_target: expected a text that is not empty, got ${brief(target)}`,
  )
}
