// All rows that are left, several at the same time, into the files in the order of the seeds.

import { setMaxListeners } from 'node:events'
import { UsageError } from '../errors.ts'
import { BudgetSpent, type InBatch, type KeptModelOptions, keptModels } from './kept-model.ts'
import { isOfRequest, madeRow } from './make-row.ts'
import type { Recipe, RowTools } from './recipe.ts'
import type { RowFiles, Settled } from './row-files.ts'

/** What is to be made, and how. */
export interface MakeRowsOptions<Seed, Row, Shared> extends Omit<KeptModelOptions, 'onCall'> {
  readonly recipe: Recipe<Seed, Row, Shared>
  readonly seeds: readonly Seed[]
  /** The seed behind the last one. */
  readonly end: number
  readonly files: RowFiles
  readonly concurrency: number
  readonly again: number
  /** What is done to a row before it is written. */
  readonly finish: (row: unknown) => unknown
  readonly progress: () => void
}

/** Makes rows until all are there, the budget is spent or every row waits for a batch; gives what of the budget is spent. Throws what a teacher fails at. */
export async function makeRows<Seed, Row, Shared>(
  options: MakeRowsOptions<Seed, Row, Shared>,
): Promise<string | undefined> {
  const { recipe, seeds, end, files, ledger, concurrency, again, seed, finish, progress } = options
  const failed = new AbortController()
  const signal = AbortSignal.any([options.signal, failed.signal])
  setMaxListeners(0, signal) // one for each row that is being made
  const models = keptModels({ ...options, signal, onCall: progress })
  let spent: string | undefined

  /** What came of a seed; undefined where it has to wait. */
  const made = async (
    row: number | null,
    make: (tools: RowTools) => Promise<unknown>,
  ): Promise<Settled | undefined> => {
    let halted: BudgetSpent | InBatch | undefined
    const model = models(row, (why) => {
      halted ??= why
    })
    const isRowFault = (error: unknown): boolean => isOfRequest(error, ledger.spent.calls > 0)
    let settled: Settled | undefined
    try {
      settled = await unlessAborted(madeRow({ row, model, seed, again, signal }, make, isRowFault), signal)
    } catch (error) {
      if (halted === undefined) throw error
    }
    if (halted === undefined) return settled
    if (halted instanceof BudgetSpent) spent ??= halted.message
    return undefined
  }

  let shared: Shared | undefined
  const prepare = async (): Promise<boolean> => {
    if (recipe.prepare === undefined) return true
    const settled = await made(null, async (tools) => {
      shared = await recipe.prepare!(tools)
      return null
    })
    if (settled === undefined) return false
    const last = settled.rejects.find(({ isLast }) => isLast)
    if (files.settled === 0) files.add({ rejects: settled.rejects }, false)
    if (last !== undefined)
      throw new UsageError(`${recipe.name}: expected what all rows need, got what was refused: ${last.reason}`)
    return true
  }

  const waiting = new Map<number, Settled>()
  let next = files.settled
  const work = async (): Promise<void> => {
    while (next < end && spent === undefined) {
      const row = next++
      const settled = await made(row, async (tools) => finish(await recipe.make(seeds[row]!, tools, shared as Shared)))
      if (settled === undefined) continue
      waiting.set(row, settled)
      for (let found = waiting.get(files.settled); found !== undefined; found = waiting.get(files.settled)) {
        waiting.delete(files.settled)
        files.add(found)
      }
      progress()
    }
  }
  const guarded = async (): Promise<void> => {
    try {
      await work()
    } catch (error) {
      failed.abort(error)
      throw error
    }
  }
  progress()
  if (files.settled < end && (await prepare()))
    await Promise.all(Array.from({ length: Math.min(concurrency, end - next) }, guarded))
  return spent
}

/** What comes of the work, or the reason why nobody waits for it any more: a recipe or a teacher that hangs holds up no signal. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  let give: () => void = () => undefined
  const given = new Promise<never>((_, reject) => {
    give = () => reject(signal.reason as Error)
  })
  signal.addEventListener('abort', give, { once: true })
  try {
    signal.throwIfAborted()
    return await Promise.race([work, given])
  } finally {
    signal.removeEventListener('abort', give)
    work.catch(() => undefined)
  }
}
