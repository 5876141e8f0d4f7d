// A conversation with a model, as messages, cut from the front where it outgrows the context.

import type { ChatMessage } from '../text/chat-template.ts'
import type { Lm, Prompt } from './lm.ts'

export class Conversation {
  readonly lm: Lm
  /** Room for the answer, at most a quarter of the context. */
  readonly #reserve: number
  #system: readonly ChatMessage[] = []
  #turns: ChatMessage[] = []

  /** `maxNewTokens`: what an answer may take. */
  constructor(lm: Lm, system: string | undefined, maxNewTokens: number) {
    this.lm = lm
    this.#reserve = Math.min(maxNewTokens, Math.floor(lm.contextLength / 4))
    this.begin(system)
  }

  /** Everything so far, the system text first. */
  get messages(): readonly ChatMessage[] {
    return [...this.#system, ...this.#turns]
  }

  /** Forgets what was said. Another system text takes the place of the old one, an empty one takes it away. */
  begin(system?: string): void {
    if (system !== undefined) this.#system = system === '' ? [] : [{ role: 'system', content: system }]
    this.#turns = []
  }

  /** Adds what the user said; returns how many old messages had to go. */
  say(content: string): number {
    this.#turns.push({ role: 'user', content })
    if (!this.lm.canChat) return 0
    let forgotten = 0
    const room = this.lm.contextLength - this.#reserve
    while (this.#turns.length > 1 && this.lm.encode({ messages: this.messages }).length > room) {
      // A question goes with its answer: templates want users and assistants to alternate.
      forgotten += this.#turns.splice(0, 2).length
    }
    return forgotten
  }

  /** What to continue; a model that cannot chat gets the last line alone. */
  prompt(): Prompt {
    return this.lm.canChat ? { messages: this.messages } : { prompt: this.#turns.at(-1)!.content as string }
  }

  reply(content: string): void {
    this.#turns.push({ role: 'assistant', content })
  }

  /** Takes back a question that got no answer. */
  unsay(): void {
    if (this.#turns.at(-1)?.role === 'user') this.#turns.pop()
  }

  /** Takes back the last answer, so that its question is open again; returns whether there was one. */
  reopen(): boolean {
    if (this.#turns.at(-1)?.role !== 'assistant') return false
    this.#turns.pop()
    return true
  }
}
