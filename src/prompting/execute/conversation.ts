// A conversation as a tree of turns: it goes on, branches, and is saved as JSON. What the model is told of it is the memory's matter; what
// was said stays.

import { InputError, UsageError } from '../../errors.ts'
import { checkOptionNames } from '../../option-names.ts'
import type { ChatMessage } from '../../text/chat-template.ts'
import { checkModel } from '../base/check-model.ts'
import type { AskOptions, Model } from '../base/model.ts'
import { type ModelSettings, SETTINGS } from '../base/model-call.ts'
import type { PromptText } from '../data/prompt.ts'
import { type Memory, type MemoryState, type Remembered, type Round, remember } from './remember.ts'

/** How a conversation is led. */
export interface ConversationOptions extends Omit<ModelSettings, 'signal'> {
  /** Instruction before everything. It is not saved. */
  system?: string | PromptText
  /** Default: `remember()`, the last 8 rounds. */
  memory?: Memory
  /** What `save` gave, to go on with. */
  saved?: SavedConversation
}

/** A turn: what was asked and answered. */
export interface Turn extends Round {
  readonly id: number
  /** The turn before it; undefined for a first one. */
  readonly parent?: number
  /** Where the memory stood. */
  readonly state: MemoryState
  /** What of the conversation the model was told; undefined where it was loaded. */
  readonly told?: Remembered
}

/** A conversation with all its branches, as JSON. */
export interface SavedConversation {
  version: 1
  turns: readonly Omit<Turn, 'told'>[]
  /** The last turn of the branch that was saved; null before the first. */
  head: number | null
}

/** A branch of a conversation. */
export interface Conversation {
  /** Its turns, the first one first. */
  readonly turns: readonly Turn[]
  /** The answer to what is said next. Where that fails or is aborted, nothing was said. One at a time. */
  say(text: string | PromptText, options?: SayOptions): Promise<string>
  /** The same as it comes; who stops listening has said nothing. */
  stream(text: string | PromptText, options?: SayOptions): AsyncIterable<string>
  /** Another branch that goes on after so many turns; the turns before are the same. Default: after all. */
  branch(turns?: number): Conversation
  /** All branches; `saved` goes on with this one. */
  save(): SavedConversation
}

/** How one answer is made, other than those of the conversation. */
export type SayOptions = ModelSettings

const OPTIONS: Readonly<Record<keyof ConversationOptions, true>> = {
  system: true,
  memory: true,
  saved: true,
  ...SETTINGS,
}

const START: MemoryState = { from: 0 }

/**
 * Begins a conversation.
 *
 * @example
 * const chat = conversation(model, { system: 'Be brief.', memory: remember({ turns: 8, recall: embedder }) })
 * await chat.say('My sister Freja lives in Aarhus.')
 * const other = chat.branch(1)
 */
export function conversation(model: Model, options: ConversationOptions = {}): Conversation {
  checkModel('conversation', model)
  checkOptionNames('conversation', options, OPTIONS)
  const { system, memory = remember(), saved, ...settings } = options
  const before: ChatMessage[] = system === undefined ? [] : [{ role: 'system', content: String(system) }]
  const tree = saved === undefined ? [] : checkedTurns(saved)

  const branchOf = (path: Turn[]): Conversation => {
    let isBusy = false
    const ready = async (text: string | PromptText, signal: AbortSignal | undefined) => {
      if (isBusy)
        throw new UsageError('conversation: expected one that is not answering. Wait for its answer, or branch it')
      isBusy = true
      try {
        const question = [{ role: 'user', content: String(text) }]
        const state = path.at(-1)?.state ?? START
        return { question, ...(await memory.recollect({ model, before, rounds: path, state, question, signal })) }
      } catch (error) {
        isBusy = false
        throw error
      }
    }
    const keep = ({ question, state, told }: Awaited<ReturnType<typeof ready>>, answer: string): void => {
      const parent = path.at(-1)?.id
      const messages = [...question, { role: 'assistant', content: answer }]
      const turn: Turn = { id: tree.length, ...(parent !== undefined && { parent }), messages, state, told }
      tree.push(turn)
      path.push(turn)
    }
    return {
      turns: path,
      async say(text, more = {}) {
        const made = await ready(text, more.signal)
        try {
          const asked: AskOptions = { ...settings, ...more }
          const answer = await model.ask([...before, ...made.messages], asked)
          more.signal?.throwIfAborted()
          keep(made, answer)
          return answer
        } finally {
          isBusy = false
        }
      },
      async *stream(text, more = {}) {
        const made = await ready(text, more.signal)
        try {
          let answer = ''
          for await (const delta of model.stream([...before, ...made.messages], { ...settings, ...more })) {
            answer += delta
            yield delta
          }
          more.signal?.throwIfAborted()
          keep(made, answer)
        } finally {
          isBusy = false
        }
      },
      branch(turns = path.length) {
        if (!(Number.isInteger(turns) && turns >= 0 && turns <= path.length))
          throw new UsageError(`branch: expected a number of turns from 0 to ${path.length}, got ${turns}`)
        return branchOf(path.slice(0, turns))
      },
      save: () => ({ version: 1, turns: tree.map(({ told: _, ...turn }) => turn), head: path.at(-1)?.id ?? null }),
    }
  }

  const path: Turn[] = []
  for (let at = saved?.head ?? undefined; at !== undefined; at = tree[at]!.parent) path.push(tree[at]!)
  return branchOf(path.reverse())
}

function checkedTurns(saved: SavedConversation): Turn[] {
  const wrong = (what: string): InputError => new InputError(`saved: expected what \`save\` gives, got ${what}`)
  if (typeof saved !== 'object' || saved === null) throw wrong(saved === null ? 'null' : `a ${typeof saved}`)
  const { version, turns, head } = saved
  if (version !== 1 || !Array.isArray(turns)) throw wrong(`version ${JSON.stringify(version)}`)
  for (const [i, turn] of (turns as readonly Turn[]).entries()) {
    const { id, parent, messages, state } = turn ?? {}
    const isPlaced = id === i && (parent === undefined || (Number.isInteger(parent) && parent >= 0 && parent < i))
    const isRound = Array.isArray(messages) && messages[0]?.role === 'user' && messages.every(isMessage)
    if (!isPlaced || !isRound || !isState(state, i)) throw wrong(`turn ${i} of another form`)
  }
  if (head !== null && !(Number.isInteger(head) && head >= 0 && head < turns.length))
    throw wrong(`head ${JSON.stringify(head)}`)
  return [...turns]
}

const isMessage = (message: ChatMessage | null): boolean =>
  typeof message?.role === 'string' && ['string', 'object', 'undefined'].includes(typeof message.content)

/** No more rounds can be left behind than there are before it. */
const isState = (state: MemoryState | null | undefined, turns: number): boolean =>
  Number.isInteger(state?.from) &&
  state!.from >= 0 &&
  state!.from <= turns &&
  (state!.summary === undefined || typeof state!.summary === 'string')
