// What a template writes to make the model answer.

import { type ChatInput, chatVariables, renderTemplate } from './chat-template.ts'
import type { Template } from './jinja/template.ts'

const known = new WeakMap<Template, { key: string; prompt: string }>()

/**
 * The generation prompt: what a rendering that asks for it has behind the beginning that it shares with one that does not. Templates
 * may end the latter in their own way (Phi-3's with its eos_token). A control token is never cut. '' if there is nothing of the kind.
 */
export function generationPrompt(template: Template, chat: ChatInput, controlTokens: ReadonlySet<string>): string {
  const { variables, bosToken, eosToken, namedTokens, now = new Date() } = chat
  const key = JSON.stringify([variables, bosToken, eosToken, namedTokens])
  const last = known.get(template)
  if (last?.key === key) return last.prompt
  const probe = { messages: [{ role: 'user', content: '.' }], variables, bosToken, eosToken, namedTokens }
  let prompt = ''
  try {
    const without = renderTemplate(template, chatVariables(probe), { now })
    const complete = renderTemplate(template, chatVariables({ ...probe, addGenerationPrompt: true }), { now })
    prompt = complete.slice(sharedLength(without, complete, controlTokens))
  } catch {
    // A template that refuses a lone user message.
  }
  known.set(template, { key, prompt })
  return prompt
}

/** How much two texts share at their beginnings, in whole control tokens. */
function sharedLength(a: string, b: string, controlTokens: ReadonlySet<string>): number {
  let length = 0
  while (length < a.length && length < b.length && a[length] === b[length]) length++
  let whole = length
  for (const text of [a, b]) {
    for (const token of controlTokens) {
      // A token that begins before the texts part and ends behind it.
      const at = text.indexOf(token, length - token.length + 1)
      if (at !== -1 && at < whole && at + token.length > length) whole = at
    }
  }
  return whole
}
