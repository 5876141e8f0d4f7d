// A language model as the AI SDK asks it, in this process.

import { randomUUID } from 'node:crypto'
import type { ChatPiece } from '../chat/answer.ts'
import { chat } from '../chat/chat.ts'
import { UsageError } from '../errors.ts'
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
  /** Rejects where the request is wrong, and otherwise waits for the first piece: it says what was done unasked. */
  const ask = async (options: CallOptions): Promise<{ events: Events; warnings: CallWarning[] }> => {
    options.abortSignal?.throwIfAborted()
    const { request, warnings } = callRequest(options, maxOutputTokens)
    const pieces = chat(lm, { ...(adapter !== undefined && { adapter }), ...request })
    const first = await pieces.next().catch((error: unknown) => {
      throw inNamesOfTheSdk(error)
    })
    const notices = (first.done ? undefined : first.value.notices) ?? []
    const events = answerEvents(joined(first, pieces), {
      signal: options.abortSignal,
      hasRaw: options.includeRawChunks,
    })
    return { events, warnings: [...warnings, ...notices.map((message) => ({ type: 'other' as const, message }))] }
  }
  const metadata = (): AnswerMetadata => ({ id: `anneal-${randomUUID()}`, timestamp: new Date(), modelId })

  return {
    specificationVersion: 'v3',
    provider,
    modelId,
    // None is read: but the SDK would fetch what is not named here before it asks, and fail for another reason.
    supportedUrls: { '*/*': [/^/] },
    async doGenerate(options) {
      const response = metadata()
      const { events, warnings } = await ask(options)
      const { content, end } = await collectAnswer(events)
      return { content, ...end, warnings, response }
    },
    async doStream(options) {
      const response = metadata()
      const left = new AbortController()
      const signals = options.abortSignal === undefined ? [left.signal] : [options.abortSignal, left.signal]
      const { events, warnings } = await ask({ ...options, abortSignal: AbortSignal.any(signals) })
      const stream = new ReadableStream<AnswerEvent>({
        start(controller) {
          controller.enqueue({ type: 'stream-start', warnings })
          controller.enqueue({ type: 'response-metadata', ...response })
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

type Events = AsyncGenerator<AnswerEvent, void, undefined>

async function* joined(
  first: IteratorResult<ChatPiece, void>,
  rest: AsyncGenerator<ChatPiece, void, undefined>,
): AsyncGenerator<ChatPiece, void, undefined> {
  if (first.done) return
  yield first.value
  yield* rest
}

/** Errors name the option that is wrong as the library calls it. */
function inNamesOfTheSdk(error: unknown): unknown {
  if (!(error instanceof UsageError)) return error
  const message = error.message
    .replace(/^(?:maxNewTokens|max_new_tokens):/, 'maxOutputTokens:')
    .replace(/^stop:/, 'stopSequences:')
  return message === error.message ? error : new UsageError(message, { cause: error })
}
