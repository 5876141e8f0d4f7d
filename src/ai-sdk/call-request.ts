// What the AI SDK asks of a language model, as a request of `chat()`.

import type { ChatRequest, ToolChoice } from '../chat/request.ts'
import { UsageError } from '../errors.ts'
import { checkOptionNames } from '../option-names.ts'
import { chatMessages } from './chat-messages.ts'
import type { CallOptions, CallWarning } from './specification.ts'

/** What `providerOptions.anneal` may say of one call, with the meanings of `ChatRequest`. */
export type AnnealCallOptions = Pick<
  ChatRequest,
  | 'minP'
  | 'repetitionPenalty'
  | 'logitBias'
  | 'stopTokenIds'
  | 'minTokens'
  | 'ignoreEos'
  | 'structure'
  | 'logprobs'
  | 'topLogprobs'
  | 'logprobTokenIds'
  | 'adapter'
  | 'promptLookup'
  | 'cacheSalt'
  | 'maxPromptTokens'
  | 'parallelToolCalls'
  | 'variables'
  | 'documents'
  | 'addGenerationPrompt'
  | 'continueFinalMessage'
>

const OWN: Readonly<Record<keyof AnnealCallOptions, true>> = {
  minP: true,
  repetitionPenalty: true,
  logitBias: true,
  stopTokenIds: true,
  minTokens: true,
  ignoreEos: true,
  structure: true,
  logprobs: true,
  topLogprobs: true,
  logprobTokenIds: true,
  adapter: true,
  promptLookup: true,
  cacheSalt: true,
  maxPromptTokens: true,
  parallelToolCalls: true,
  variables: true,
  documents: true,
  addGenerationPrompt: true,
  continueFinalMessage: true,
}

/** What OpenAI, vLLM and Transformers call some of them. */
const ELSEWHERE = {
  chat_template_kwargs: 'variables',
  chatTemplateKwargs: 'variables',
  structured_outputs: 'structure',
  truncate_prompt_tokens: 'maxPromptTokens',
} as const

/** JSON without a schema, as in the OpenAI API: any object. */
const ANY_OBJECT = { type: 'object' } as const

/**
 * The request, and what of the call is not done. UsageError for provider options that there are not, UnsupportedFunctionalityError for
 * prompts that are not text.
 */
export function callRequest(
  options: CallOptions,
  maxOutputTokens: number,
): { request: ChatRequest; warnings: CallWarning[] } {
  const own: AnnealCallOptions = options.providerOptions?.anneal ?? {}
  checkOptionNames('providerOptions.anneal', own, OWN, ELSEWHERE)
  const { responseFormat, tools = [] } = options
  if (responseFormat?.type === 'json' && own.structure !== undefined)
    throw new UsageError('structure: expected it without a response format of JSON, got both. Leave one of them out')
  const functions = tools.filter((tool) => tool.type === 'function')
  const request = {
    ...own,
    messages: chatMessages(options.prompt),
    maxNewTokens: options.maxOutputTokens ?? maxOutputTokens,
    temperature: options.temperature,
    topP: options.topP,
    topK: options.topK,
    presencePenalty: options.presencePenalty,
    frequencyPenalty: options.frequencyPenalty,
    seed: options.seed,
    stop: options.stopSequences,
    signal: options.abortSignal,
    ...(responseFormat?.type === 'json' && { structure: { json_schema: responseFormat.schema ?? ANY_OBJECT } }),
    ...(functions.length > 0 && {
      tools: functions.map(({ name, description, inputSchema, strict }) => ({
        type: 'function',
        function: given({ name, description, parameters: inputSchema, strict }),
      })),
      toolChoice: toolChoice(options.toolChoice),
    }),
  }
  return { request: given(request) as ChatRequest, warnings: warningsOf(options) }
}

function toolChoice(choice: CallOptions['toolChoice']): ToolChoice | undefined {
  return choice?.type === 'tool' ? { name: choice.toolName } : choice?.type
}

function warningsOf({ responseFormat, tools = [] }: CallOptions): CallWarning[] {
  const unread = (feature: string, details: string): CallWarning => ({ type: 'unsupported', feature, details })
  const said = tools.flatMap((tool): CallWarning[] => {
    if (tool.type === 'provider') return [unread(`provider-defined tool ${tool.id}`, 'It is not offered to the model.')]
    if (tool.inputExamples === undefined) return []
    return [unread('inputExamples', `Chat templates have no place for those of ${tool.name}.`)]
  })
  if (responseFormat?.type === 'json' && responseFormat.description !== undefined)
    said.push(
      unread('responseFormat.description', 'The schema binds the answer; its description is not in the prompt.'),
    )
  return said
}

/** Without what is undefined: the AI SDK names every setting. */
function given<T extends object>(options: T): T {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T
}
