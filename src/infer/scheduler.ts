// Everything that generates or scores is a sequence here. A step is one call of the model: the next token of every sequence that writes, and a
// piece of the texts that are still to be read. Sequences join and leave at any step; one waits when blocks run out, and is read again later.
// What a sequence gets does not depend on the others, bit for bit, because no kernel below lets rows see each other (native/attention.cc,
// linear.cc), and because what a block of the cache holds does not depend on how it was made.

import { setImmediate } from 'node:timers/promises'
import { UsageError } from '../errors.ts'
import type { PromptInspection } from '../lm/lm.ts'
import type { Decoder } from '../model/decoder.ts'
import { inference, Replay, scope, Tensor } from '../torch/index.ts'
import { hasLengthDependentRope, isReadAgain } from './context.ts'
import { LogitRows } from './logit-rows.ts'
import type { ModelAdapters, RowSpan } from './model-adapters.ts'
import { modelState } from './model-state.ts'
import type { CachedText, PagedCache } from './paged-cache.ts'
import { notFinite } from './sample.ts'

/** One sequence, as the scheduler sees it. */
export interface Task {
  /** All its tokens: those to read, and behind them those that it has made. */
  readonly ids: readonly number[]
  /** Logits are wanted from this place of `ids` on; before it, tokens may come from the cache. */
  readonly logitsFrom: number
  /** The adapter that its rows go through, null for the model alone. */
  readonly adapter: string | null
  /** Keeps its blocks apart from those of other sequences. */
  readonly salt: string
  /** True when nothing more is wanted of it or for it; looks at its signal. */
  isOver(): boolean
  /** Its first `cached` tokens were found in the cache. Called once, however often it is read. */
  begin(cached: number): void
  /** Ids that may come next, to be looked at in the same step; used where all of `ids` but the last are read. */
  draft(): readonly number[]
  /** Logits of `count` places from `place` on are rows `row …` of `logits`; the last ones are those of `drafts`. They may lead to new ids. */
  take(logits: LogitRows, row: number, count: number, place: number, drafts: readonly number[]): void
  /** Looks at some of its tokens between two blocks; absent where nothing is to be looked at, or no more. Places are those of `ids`. */
  readonly inspect?: PromptInspection | undefined
  /** Of `inspect`: whether to go on with it. Where it says no, the task is over. Called once. */
  inspected?(states: Float32Array): boolean
  /** It gets nothing more. */
  fail(error: unknown): void
  /** It is over and out of the scheduler. */
  leave?(): void
}

interface Running {
  task: Task
  text: CachedText
}

interface Part extends Running {
  /** What this step reads of it, with drafts. */
  ids: readonly number[]
  drafts: readonly number[]
  /** Looked at between two blocks: a step of its own. */
  isLooked?: true
}

/** Tokens of prompts in one step, alone and beside sequences that wait for their next token. */
const PROMPT_TOKENS = 512
const PROMPT_TOKENS_BESIDE = 64
/** Logits that exist at once: 16 MiB. */
const LOGITS_AT_ONCE = 1 << 22

export interface SchedulerOptions {
  /** Sequences in one step at most. */
  sequences: number
  makeCache: (model: Decoder) => PagedCache
  adapters?: ModelAdapters | undefined
}

/** Runs a model for many tasks. */
export class Scheduler {
  readonly #model: Decoder
  readonly #options: SchedulerOptions
  readonly #waiting: Task[] = []
  #running: Running[] = []
  #cache: PagedCache | undefined
  #state: readonly unknown[] = []
  readonly #begun = new WeakSet<Task>()
  #isPumping = false
  /** Calls of the model as they are played, while texts run: with the blocks of one generation of the cache. */
  readonly #replay = new Replay()
  #generation = -1
  /** No rule runs JavaScript between the operators. */
  #isPlain = false

  constructor(model: Decoder, options: SchedulerOptions) {
    this.#model = model
    this.#options = options
  }

  /** Blocks of the cache that sequences hold now. */
  get usedBlocks(): number {
    return this.#cache?.usedBlocks ?? 0
  }

  /** Sequences that wait, and that are in the steps now. */
  get load(): { waiting: number; running: number } {
    return { waiting: this.#waiting.length, running: this.#running.length }
  }

  /** Takes tasks over; they hear of what comes by their own methods. */
  add(...tasks: readonly Task[]): void {
    this.#waiting.push(...tasks)
    if (!this.#isPumping) void this.#pump()
  }

  /** Gives the blocks of what is done back at once, not only at the next step. */
  sweep(): void {
    const gone: Task[] = []
    for (let i = this.#waiting.length - 1; i >= 0; i--)
      if (this.#waiting[i]!.isOver()) gone.push(...this.#waiting.splice(i, 1))
    this.#running = this.#running.filter(({ task, text }) => {
      if (!task.isOver()) return true
      this.#cache!.close(text)
      gone.push(task)
      return false
    })
    for (const task of gone) task.leave?.()
  }

  /** Frees the cache; a later task gets a new one. Tasks that are not done fail. */
  free(): void {
    this.sweep()
    for (const { task } of [...this.#running, ...this.#waiting.map((task) => ({ task }))])
      task.fail(new UsageError('engine: expected all texts to end before it is freed, got one that goes on'))
    this.sweep()
    this.#replay.free()
    this.#cache?.free()
    this.#cache = undefined
  }

  async #pump(): Promise<void> {
    this.#isPumping = true
    await Promise.resolve() // what is added in the same turn goes into the first step
    try {
      while (this.#waiting.length + this.#running.length > 0) {
        const began = performance.now()
        this.step()
        await setImmediate()
        await turns(performance.now() - began)
      }
    } finally {
      this.#isPumping = false
    }
  }

  /** One call of the model, if there is anything to do. */
  step(): void {
    this.sweep()
    let parts: Part[] = []
    try {
      if (this.#running.length === 0) this.#renewCache()
      this.#admit()
      parts = this.#plan()
      if (parts.length > 0) inference(() => scope(() => this.#run(parts)))
    } catch (error) {
      // The tasks of a step that did not come to its end are over; without a step, all are.
      const failed = parts.length > 0 ? parts : [...this.#running, ...this.#waiting.map((task) => ({ task }))]
      for (const { task } of failed) task.fail(error)
    }
    this.sweep()
    if (this.#running.length === 0) this.#replay.free()
  }

  /** Another cache where the model is no longer what the old one was filled by. */
  #renewCache(): void {
    const state = this.#modelState()
    this.#isPlain = this.#model.model.layers.every(
      ({ attention, feedForward }) => attention.rules.length + feedForward.rules.length === 0,
    )
    if (this.#cache !== undefined && this.#isFilledBy(state)) return
    this.#cache?.free()
    this.#cache = this.#options.makeCache(this.#model)
    this.#state = state
  }

  /** What decides the numbers of all texts; what an adapter adds to those of its own is in their salt. */
  #modelState(): readonly unknown[] {
    const { adapters } = this.#options
    return modelState(this.#model, adapters && ((layer) => adapters.baseOf(layer)))
  }

  #isFilledBy(state: readonly unknown[]): boolean {
    return state.length === this.#state.length && state.every((value, i) => value === this.#state[i])
  }

  #admit(): void {
    const cache = this.#cache!
    const isWhole = hasLengthDependentRope(this.#model.config)
    // Who comes after the model was changed waits for the texts that were begun before, and gets a cache of its own.
    let isCurrent = this.#running.length === 0
    while (this.#waiting.length > 0 && this.#running.length < (isWhole ? 1 : this.#options.sequences)) {
      const task = this.#waiting[0]!
      const version = task.adapter === null ? '' : this.#options.adapters!.versionOf(task.adapter)
      const salt = `${version}\n${task.salt}`
      // Its logits are not in the cache, so the first place that wants them is read in any case.
      const most = isWhole ? 0 : Math.min(task.logitsFrom, task.ids.length - 1, task.inspect?.begin ?? task.ids.length)
      const text = cache.open(task.ids, most, salt)
      const first = Math.min(task.ids.length - text.length, PROMPT_TOKENS)
      const hasRoom = !this.#willBeKnown(task, text.length, most) && cache.reserve(text, first)
      if (hasRoom) isCurrent ||= this.#isFilledBy(this.#modelState())
      if (!hasRoom || !isCurrent) {
        cache.close(text)
        return
      }
      this.#waiting.shift()
      if (!this.#begun.has(task)) task.begin(text.length)
      this.#begun.add(task)
      this.#running.push({ task, text })
    }
  }

  /** True if another sequence is reading what this one begins with, so that it need not be read twice. */
  #willBeKnown(task: Task, known: number, most: number): boolean {
    return this.#running.some(({ task: other, text }) => {
      if (other.adapter !== task.adapter || other.salt !== task.salt || other.ids.length - text.length <= 1)
        return false
      const end = Math.min(most, other.ids.length)
      let shared = 0
      while (shared < end && task.ids[shared] === other.ids[shared]) shared++
      return Math.floor(shared / 16) * 16 > known
    })
  }

  /** What each sequence reads in this step; room in the cache is reserved for it. */
  #plan(): Part[] {
    const isWhole = hasLengthDependentRope(this.#model.config)
    const isWriting = this.#running.some(({ task, text }) => task.ids.length - text.length === 1)
    let budget = isWriting ? PROMPT_TOKENS_BESIDE : PROMPT_TOKENS
    const looked = this.#lookedAt(isWhole)
    if (looked !== undefined) return [looked]
    const parts: Part[] = []
    for (let i = 0; i < this.#running.length; i++) {
      const { task, text } = this.#running[i]!
      if (isReadAgain(this.#model.config, text.length, task.ids.length)) this.#cache!.truncate(text, 0)
      const left = task.ids.length - text.length
      const drafts = left === 1 && !isWhole ? this.#draftsOf(task) : []
      if (task.isOver()) continue
      // Up to where it is looked at, a long prompt is read as any other; the rest waits for room for a step of its own.
      const most = task.inspect === undefined ? left : isWhole ? 0 : task.inspect.begin - text.length
      const count = left === 1 || isWhole ? Math.min(left, most) : Math.min(most, budget)
      if (count <= 0) continue
      if (!this.#makeRoom(i, count + drafts.length)) continue
      if (left > 1) budget -= count
      parts.push({
        task,
        text,
        ids: [...task.ids.slice(text.length, text.length + count), ...drafts],
        drafts,
      })
    }
    return parts
  }

  /** What is looked at between two blocks has a step of its own, which may end there; undefined where there is none now, or no room for it. */
  #lookedAt(isWhole: boolean): Part | undefined {
    const i = this.#running.findIndex(({ task, text }) => {
      if (task.inspect === undefined || task.isOver()) return false
      return isWhole || task.inspect.begin - text.length <= PROMPT_TOKENS
    })
    if (i < 0) return undefined
    const { task, text } = this.#running[i]!
    if (isReadAgain(this.#model.config, text.length, task.ids.length)) this.#cache!.truncate(text, 0)
    const ids = task.ids.slice(text.length)
    return this.#makeRoom(i, ids.length) ? { task, text, ids, drafts: [], isLooked: true } : undefined
  }

  /** A task whose drafts cannot be told fails, and none beside it. */
  #draftsOf(task: Task): readonly number[] {
    try {
      return task.draft().slice(0, mostLogits(this.#model) - 1)
    } catch (error) {
      task.fail(error)
      return []
    }
  }

  /** Reserves for running sequence `i`; where blocks are short, the youngest goes back to the queue. False if that was itself. */
  #makeRoom(i: number, count: number): boolean {
    const cache = this.#cache!
    while (!cache.reserve(this.#running[i]!.text, count)) {
      const { task, text } = this.#running.pop()!
      cache.close(text)
      this.#waiting.unshift(task)
      if (i >= this.#running.length) return false
    }
    return true
  }

  #run(parts: readonly Part[]): void {
    const model = this.#model
    const cache = this.#cache!
    const sorted = parts.toSorted((a, b) => (a.task.adapter ?? '').localeCompare(b.task.adapter ?? ''))
    const ids = BigInt64Array.from(
      sorted.flatMap(({ ids }) => ids),
      BigInt,
    )
    const inputIds = Tensor.from(ids, [1, ids.length]).to(model.device)
    const step = cache.step(sorted.map(({ text, ids }) => ({ text, count: ids.length })))
    if (cache.generation !== this.#generation) this.#replay.free()
    this.#generation = cache.generation
    const run = (): Tensor | undefined => {
      const { states, call } = model.enter({ inputIds, cache: step })
      if (sorted[0]!.isLooked) {
        const inspect = sorted[0]!.task.inspect!
        const between = model.runBlocks(states, call, 0, inspect.layer)
        if (!inspected(sorted[0]!, inspect, between)) return undefined
        return model.leave(between, call, inspect.layer).view(ids.length, -1)
      }
      const leave = (): Tensor => model.leave(states, call)
      const isPlayed = this.#isPlain && ids.length <= MOST_PLAYED && sorted.every(({ task }) => task.adapter === null)
      const inputs = isPlayed ? call.inputs : null
      const made = inputs === null ? leave() : this.#replay.run(`${ids.length}`, [states, ...inputs], leave)
      return made.view(ids.length, -1)
    }
    const hidden = this.#through(
      sorted.map(({ task, ids }) => ({ adapter: task.adapter, count: ids.length })),
      run,
    ) // [R, D]
    if (hidden === undefined) return
    const wanted: Wanted[] = []
    let row = 0
    for (const part of sorted) {
      const first = Math.max(0, part.task.logitsFrom - part.text.length)
      for (let at = first; at < part.ids.length; at++)
        wanted.push({ part, row: row + at, place: part.text.length + at })
      row += part.ids.length
      // Drafts are known to be right only when their logits are.
      cache.commit(part.text, part.ids.slice(0, part.ids.length - part.drafts.length))
    }
    const isAll = wanted.length === ids.length
    const most = mostLogits(model)
    // The rows of drafts are looked at together: which of them count is known by the one before.
    for (let begin = 0; begin < wanted.length; ) {
      let end = Math.min(wanted.length, begin + most)
      if (end < wanted.length) while (end > begin + 1 && isDraft(wanted[end]!)) end--
      const slice = wanted.slice(begin, end)
      begin = end
      scope(() => {
        const rows = Tensor.from(BigInt64Array.from(slice, ({ row }) => BigInt(row))).to(model.device)
        const chosen = isAll && slice.length === wanted.length ? hidden : hidden.indexSelect(0, rows)
        const adapters = slice.map(({ part }) => ({ adapter: part.task.adapter, count: 1 }))
        this.#handOut(slice, new LogitRows(this.#through(adapters, () => model.logits(chosen))))
      })
    }
  }

  /** What `body` computes of rows, with the adapter of each. */
  #through<T>(rows: readonly { adapter: string | null; count: number }[], body: () => T): T {
    const { adapters } = this.#options
    if (adapters === undefined) return body()
    const spans: RowSpan[] = []
    for (const { adapter, count } of rows) {
      const last = spans.at(-1)
      if (last !== undefined && last.adapter === adapter) last.end += count
      else spans.push({ adapter, begin: last?.end ?? 0, end: (last?.end ?? 0) + count })
    }
    return adapters.during(spans, body)
  }

  #handOut(slice: readonly Wanted[], logits: LogitRows): void {
    for (let begin = 0; begin < slice.length; ) {
      const { part, place } = slice[begin]!
      let end = begin
      while (end < slice.length && slice[end]!.part === part) end++
      const { task, text } = part
      const before = task.ids.length
      if (!task.isOver()) {
        try {
          task.take(logits, begin, end - begin, place, part.drafts)
        } catch (error) {
          task.fail(error)
        }
      }
      // New ids that were drafts are read already.
      const right = Math.min(part.drafts.length, task.ids.length - before - 1)
      if (right > 0 && !task.isOver()) this.#cache!.commit(text, task.ids.slice(before, before + right))
      begin = end
    }
  }
}

/** Rows of a call that is played: those of prompts are of many lengths, and their work is large. */
const MOST_PLAYED = 32

interface Wanted {
  part: Part
  /** Among the rows of the step. */
  row: number
  /** In the task's ids. */
  place: number
}

/** Whether the task goes on, by `states` [1, R, D] of all that the step reads of it. */
function inspected({ task, text }: Part, { begin, end }: PromptInspection, states: Tensor): boolean {
  const seen = states.view(states.size(-2), -1).narrow(0, begin - text.length, end - begin)
  const numbers = seen.to('f32').data() as Float32Array
  const wrong = numbers.find((value) => !Number.isFinite(value))
  if (wrong !== undefined) throw notFinite(wrong, 'hidden states')
  return task.inspected!(Float32Array.from(numbers))
}

const mostLogits = ({ config }: Decoder): number => Math.max(1, Math.floor(LOGITS_AT_ONCE / config.vocabSize))

const isDraft = ({ part, place }: Wanted): boolean => part.drafts.length > 0 && place >= part.task.ids.length

/** A turn of the event loop that took less had nothing to do. */
const IDLE_MS = 0.05

/**
 * Turns of the event loop between two steps: until one finds nothing to do, for as long as a step at most. Node takes in one new connection
 * in a turn, so that with a single turn a crowd of them would wait for as many steps, and who asks whether we are alive behind them.
 */
async function turns(stepMs: number): Promise<void> {
  let now = performance.now()
  const end = now + stepMs
  for (let busyMs = IDLE_MS; busyMs >= IDLE_MS && now < end; ) {
    const before = now
    await setImmediate()
    now = performance.now()
    busyMs = now - before
  }
}
