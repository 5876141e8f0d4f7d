// A chat template in Jinja → Ollama's TEMPLATE in Go, by looking at what it renders: most templates put fixed text around each
// message and nothing else. One that does more to messages (dates, defaults) is not guessed at:
// undefined, and Ollama looks at the GGUF file's own template instead. Tools are not carried over, which `writesTools` tells.

import { TokenizerError } from '../errors.ts'
import { type ChatMessage, renderChat } from '../text/chat-template.ts'

const ROLES = ['system', 'user', 'assistant'] as const
type Role = (typeof ROLES)[number]

/** What stands before and after a message. */
type Wrapping = readonly [before: string, after: string]

/** The Go template with the same text, without `bosToken`, which llama.cpp adds itself. */
export function goTemplate(template: string, bosToken = '', eosToken = ''): string | undefined {
  const render = (messages: ChatMessage[], addGenerationPrompt = false): string | undefined => {
    try {
      const text = renderChat(template, { messages, addGenerationPrompt, bosToken, eosToken })
      return bosToken !== '' && text.startsWith(bosToken) ? text.slice(bosToken.length) : text
    } catch (error) {
      if (error instanceof TokenizerError) return undefined
      throw error
    }
  }
  const user = { role: 'user', content: mark(1) }
  const answer = { role: 'assistant', content: mark(2) }
  const alone = render([user])
  const asked = render([user], true)
  const answered = render([user, answer])
  const instructed = render([{ role: 'system', content: mark(0) }, user])
  if (alone === undefined || asked === undefined || answered === undefined) return undefined
  if (!asked.startsWith(alone) || !answered.startsWith(alone)) return undefined
  const prompt = asked.slice(alone.length)
  const wrappings: Partial<Record<Role, Wrapping | undefined>> = {
    system: instructed?.endsWith(alone) ? wrapping(instructed.slice(0, -alone.length), mark(0)) : undefined,
    user: wrapping(alone, mark(1)),
    assistant: wrapping(answered.slice(alone.length), mark(2)),
  }
  const { user: asking, assistant: answering } = wrappings
  if (asking === undefined || answering === undefined || !answering[0].startsWith(prompt)) return undefined
  // A template with memory (first user message, system text in it) shows in a longer chat.
  const chat = [user, answer, user, answer, user]
  const expected = chat.map(({ role, content }) => wrappings[role as Role]!.join(content)).join('')
  if (render(chat) !== expected || [...Object.values(wrappings), prompt].some((text) => String(text).includes('{{'))) {
    return undefined
  }
  const branches = ROLES.flatMap((role) => {
    const around = wrappings[role]
    return around === undefined ? [] : [`{{ if eq .Role "${role}" }}${around[0]}{{ .Content }}${around[1]}{{ end }}`]
  })
  return `{{ range .Messages }}${branches.join('')}{{ end }}${prompt}`
}

/** Whether the template writes anything of the tools that a chat comes with. */
export function writesTools(template: string, bosToken = '', eosToken = ''): boolean {
  const parameters = { type: 'object', properties: { place: { type: 'string' } } }
  const tools = [{ type: 'function', function: { name: mark(3), description: mark(3), parameters } }]
  const messages = [{ role: 'user', content: mark(1) }]
  try {
    return renderChat(template, { messages, tools, bosToken, eosToken }).includes(mark(3))
  } catch (error) {
    if (error instanceof TokenizerError) return false
    throw error
  }
}

/** A text that no template has, without anything that could be trimmed or escaped. */
const mark = (index: number): string => `Content${index}Q7x`

function wrapping(text: string, content: string): Wrapping | undefined {
  const parts = text.split(content)
  return parts.length === 2 ? [parts[0]!, parts[1]!] : undefined
}
