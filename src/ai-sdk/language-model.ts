// A language model as the AI SDK asks it, in this process.

import { randomUUID } from 'node:crypto'
import { chat } from '../chat/chat.ts'
import type { Lm } from '../lm/lm.ts'
import { answerEvents, collectAnswer } from './answer-events.ts'
import { callRequest } from './call-request.ts'
import type { AiLanguageModel, AnswerEvent, AnswerMetadata, CallOptions, CallWarning } from './specification.ts'

/** What every call of it has. */
export interface LanguageModelSettings {
  provider: string
  modelId: string
  /** Goes with each call that names none. */
  adapter: string | undefined
  /** Where a call says nothing of `maxOutputTokens`. */
  maxOutputTokens: number
}

/** `lm` as a model of the AI SDK. */
export function languageModel(
  lm: Lm,
  { provider, modelId, adapter, maxOutputTokens }: LanguageModelSettings,
): AiLanguageModel {
  const ask = (
    options: CallOptions,
  ): { events: AsyncGenerator<AnswerEvent, void, undefined>; warnings: CallWarning[] } => {
    const { request, warnings } = callRequest(options, maxOutputTokens)
    const pieces = chat(lm, { ...(adapter !== undefined && { adapter }), ...request })
    const events = answerEvents(pieces, { signal: options.abortSignal, hasRaw: options.includeRawChunks })
    return { events, warnings }
  }
  const metadata = (): AnswerMetadata => ({ id: `anneal-${randomUUID()}`, timestamp: new Date(), modelId })

  return {
    specificationVersion: 'v3',
    provider,
    modelId,
    supportedUrls: {},
    async doGenerate(options) {
      options.abortSignal?.throwIfAborted()
      const { events, warnings } = ask(options)
      const response = metadata()
      const { content, end } = await collectAnswer(events)
      return { content, ...end, warnings, response }
    },
    async doStream(options) {
      options.abortSignal?.throwIfAborted()
      const left = new AbortController()
      const signals = options.abortSignal === undefined ? [left.signal] : [options.abortSignal, left.signal]
      const { events, warnings } = ask({ ...options, abortSignal: AbortSignal.any(signals) })
      const response = metadata()
      const first = await events.next() // rejects here where the request is wrong
      const stream = new ReadableStream<AnswerEvent>({
        start(controller) {
          controller.enqueue({ type: 'stream-start', warnings })
          controller.enqueue({ type: 'response-metadata', ...response })
          if (!first.done) controller.enqueue(first.value)
        },
        async pull(controller) {
          const { done, value } = await events.next()
          if (done) controller.close()
          else controller.enqueue(value)
        },
        async cancel() {
          left.abort()
          await events.return()
        },
      })
      return { stream }
    },
  }
}
