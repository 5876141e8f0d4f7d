// What a synthesis would ask, and about what it would cost, without asking.

import { AnnealError, messageOf } from '../errors.ts'
import { costOf } from '../prompting/base/cost.ts'
import type { ModelCall } from '../prompting/base/model-call.ts'
import { dryRun } from '../prompting/base/trace.ts'
import { rowTools } from './make-row.ts'
import type { Recipe } from './recipe.ts'
import type { SynthesizeOptions } from './synthesize.ts'

/** One call as it would be made. */
export interface PreviewCall {
  /** Of the seed, from 0; null for what is made once. */
  readonly row: number | null
  readonly messages: ModelCall['messages']
}

/** What is known before anything is asked. */
export interface SynthesisPreview {
  readonly calls: readonly PreviewCall[]
  /** Seeds whose calls these are, and all. */
  readonly rows: number
  readonly seeds: number
  /** Why recipes went no further, a made-up answer or a prompt that is too long; what comes after it is not shown. */
  readonly faults: readonly string[]
  /** For all seeds, by the calls that are shown; characters / 4 where the model counts no tokens. */
  readonly estimate: {
    readonly calls: number
    readonly promptTokens: number
    /** What `maxTokens` allows; null where a call has none. */
    readonly completionTokens: number | null
    /** Where prices and the most tokens of all answers are known. */
    readonly cost: number | null
  }
}

/** Renders the calls of the first `rows` seeds with made-up answers. */
export async function previewSynthesis<Seed, Row, Shared>(
  { recipe, seeds, model, seed = 0, sampling = {} }: SynthesizeOptions<Seed, Row, Shared>,
  rows = 3,
): Promise<SynthesisPreview> {
  const made: (PreviewCall & { maxTokens: number | undefined })[] = []
  const signal = new AbortController().signal
  const faults: string[] = []
  const look = async (
    row: number | null,
    make: (tools: Parameters<Recipe<Seed, Row>['make']>[1]) => Promise<unknown>,
  ) => {
    const { calls } = await dryRun(async () => {
      try {
        await make(rowTools({ row, model, seed, again: 0, signal }).tools)
      } catch (error) {
        // What is made up may be refused, or break a recipe that looks into it.
        if (!(error instanceof AnnealError || error instanceof TypeError)) throw error
        faults.push(messageOf(error))
      }
    })
    for (const { call, parent } of calls)
      if (parent === undefined)
        made.push({ row, messages: call.messages, maxTokens: call.maxTokens ?? sampling.maxTokens })
  }
  let shared: Shared | undefined
  if (recipe.prepare !== undefined)
    await look(null, async (tools) => {
      shared = await recipe.prepare!(tools)
    })
  const shown = Math.min(rows, seeds.length)
  for (let row = 0; row < shown; row++) await look(row, (tools) => recipe.make(seeds[row]!, tools, shared as Shared))
  const tokensOf = ({ messages }: PreviewCall): number => {
    const text = messages
      .map(({ content }) => (typeof content === 'string' ? content : JSON.stringify(content)))
      .join('\n')
    return model.countTokens?.(text) ?? Math.ceil(text.length / 4)
  }
  /** Over all seeds: what is made once, and what is made for each. */
  const overAll = (worth: (call: (typeof made)[number]) => number): number => {
    const of = (calls: typeof made): number => calls.reduce((sum, call) => sum + worth(call), 0)
    const each = shown === 0 ? 0 : of(made.filter(({ row }) => row !== null)) / shown
    return Math.round(of(made.filter(({ row }) => row === null)) + each * seeds.length)
  }
  const promptTokens = overAll(tokensOf)
  const isBounded = made.every(({ maxTokens }) => maxTokens !== undefined)
  const completionTokens = isBounded ? overAll(({ maxTokens }) => maxTokens!) : null
  const cost =
    model.cost === undefined || completionTokens === null
      ? null
      : costOf({ promptTokens, completionTokens, reasoningTokens: 0 }, model.cost)
  return {
    calls: made.map(({ row, messages }) => ({ row, messages })),
    rows: shown,
    seeds: seeds.length,
    faults,
    estimate: { calls: overAll(() => 1), promptTokens, completionTokens, cost },
  }
}
