// A prompt of the AI SDK as the messages that chat templates know.

import type { ChatMessage } from '../text/chat-template.ts'
import { UnsupportedFunctionalityError } from './sdk-errors.ts'
import type { CallMessage, CallPart, ToolOutput } from './specification.ts'

/**
 * The messages of a prompt: text parts joined, those of users line by line, reasoning as `reasoning_content`, the arguments of calls as objects, each tool's answer as a
 * message of its own. UnsupportedFunctionalityError for files: no model here reads them.
 */
export function chatMessages(prompt: readonly CallMessage[]): ChatMessage[] {
  return prompt.flatMap((message): ChatMessage[] => {
    if (message.role === 'system') return [{ role: 'system', content: message.content }]
    const { role, content } = message
    refuseFiles(content)
    const results = content.flatMap((part) => (part.type === 'tool-result' ? [toolMessage(part)] : []))
    if (role === 'tool') return results
    const reasoning = textOf(content, 'reasoning')
    const calls = content.flatMap((part) => (part.type === 'tool-call' ? [toolCall(part)] : []))
    const said: ChatMessage = {
      role,
      // A user's parts may be a question and a document, as over HTTP; an assistant's are one text with calls between.
      content: textOf(content, 'text', role === 'user' ? '\n' : ''),
      ...(reasoning !== '' && { reasoning_content: reasoning }),
      ...(calls.length > 0 && { tool_calls: calls }),
    }
    return [said, ...results]
  })
}

function textOf(parts: readonly CallPart[], type: 'text' | 'reasoning', between = ''): string {
  return parts.flatMap((part) => (part.type === type ? part.text : [])).join(between)
}

function toolCall({ toolCallId, toolName, input }: Extract<CallPart, { type: 'tool-call' }>): ChatMessage[string] {
  return { id: toolCallId, type: 'function', function: { name: toolName, arguments: input } }
}

function toolMessage({ toolCallId, toolName, output }: Extract<CallPart, { type: 'tool-result' }>): ChatMessage {
  return { role: 'tool', tool_call_id: toolCallId, name: toolName, content: outputText(output) }
}

function outputText(output: ToolOutput): string {
  switch (output.type) {
    case 'text':
    case 'error-text':
      return output.value
    case 'json':
    case 'error-json':
      return JSON.stringify(output.value)
    case 'execution-denied':
      return output.reason ?? 'Tool execution denied.'
    case 'content':
      return output.value.map(partText).join('')
  }
}

function partText(part: { type: string; text?: unknown }): string {
  if (part.type === 'text') return String(part.text)
  const message = `prompt: expected text in a tool's output, got a part of type ${part.type}. Give its words`
  throw new UnsupportedFunctionalityError(`tool output of type ${part.type}`, message)
}

function refuseFiles(parts: readonly CallPart[]): void {
  const file = parts.find((part) => part.type === 'file')
  if (file === undefined) return
  const message = `prompt: expected text, got a file of type ${file.mediaType}. Put its words into the prompt`
  throw new UnsupportedFunctionalityError(`file part media type ${file.mediaType}`, message)
}
