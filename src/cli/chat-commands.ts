// What a line that begins with / does in a chat.

import { describeError } from '../errors.ts'
import { appendLine } from '../files/append-line.ts'
import { checkOutputFile } from '../files/output-file.ts'
import type { Conversation } from '../lm/conversation.ts'
import { counted } from '../report/amounts.ts'
import type { Output } from './output.ts'

/** What comes after a command: the next line, an answer to the question that is open again, or the end. */
export type Next = 'line' | 'answer' | 'end'

interface ChatCommand {
  argument?: string
  summary: string
  run: (conversation: Conversation, argument: string, output: Output) => Next
}

const reset: ChatCommand['run'] = (conversation, _argument, output) => {
  conversation.begin()
  output.note('The conversation starts anew.')
  return 'line'
}

export const CHAT_COMMANDS: Readonly<Record<string, ChatCommand>> = {
  help: {
    summary: 'show this',
    run: (_conversation, _argument, output) => {
      output.note(HELP)
      return 'line'
    },
  },
  system: {
    argument: 'TEXT',
    summary: 'begin anew with this instruction; without TEXT, show the one there is',
    run: (conversation, text, output) => {
      if (!conversation.lm.canChat) output.note('This model has no chat template, and no place for an instruction.')
      else if (text !== '') {
        conversation.begin(text)
        output.note('The conversation starts anew, with this instruction.')
      } else {
        const [first] = conversation.messages
        output.note(first?.role === 'system' ? String(first.content) : 'There is no instruction.')
      }
      return 'line'
    },
  },
  retry: {
    summary: 'answer the last question again',
    run: (conversation, _argument, output) => {
      if (conversation.reopen()) return 'answer'
      output.note('There is no answer yet.')
      return 'line'
    },
  },
  history: {
    summary: 'show the conversation',
    run: (conversation, _argument, output) => {
      for (const { role, content } of conversation.messages) output.note(`${role}: ${String(content)}`)
      return 'line'
    },
  },
  save: {
    argument: 'FILE',
    summary: 'append the conversation to FILE, one line of JSON as `anneal train` reads it',
    run: (conversation, file, output) => {
      if (file === '') output.note('/save: expected a file, such as /save chats.jsonl')
      else {
        try {
          checkOutputFile(file, '/save')
          appendLine(file, JSON.stringify({ messages: conversation.messages }))
          output.note(`${counted(conversation.messages.length, 'message')} → ${file}`)
        } catch (error) {
          output.note(describeError(error)) // the conversation goes on
        }
      }
      return 'line'
    },
  },
  reset: { summary: 'forget the conversation', run: reset },
  exit: { summary: 'leave (also /quit, Ctrl-D)', run: () => 'end' },
}

const HELP = [
  ...Object.entries(CHAT_COMMANDS).map(([name, { argument = '', summary }]) => [`/${name} ${argument}`, summary]),
  ['Ctrl-C', 'stop the answer; at the prompt, leave'],
  ['↑ ↓', 'earlier lines'],
]
  .map(([name, summary]) => `${name!.padEnd(14)}${summary}`)
  .join('\n')

/** Runs a line that is a command; undefined for a line that is said to the model. */
export function runChatCommand(line: string, conversation: Conversation, output: Output): Next | undefined {
  const [, name, argument = ''] = /^\/([a-z]+)(?:\s+(.*))?$/.exec(line) ?? []
  if (name === undefined) return undefined
  const command = CHAT_COMMANDS[name === 'quit' ? 'exit' : name]
  if (command !== undefined) return command.run(conversation, argument.trim(), output)
  // A path or a fraction is something to talk about.
  if (argument !== '') return undefined
  output.note(`unknown command /${name}; /help shows the commands`)
  return 'line'
}
