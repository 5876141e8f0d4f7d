// A model that looks something up where a gate says that it has to.
import { UsageError } from '../../errors.ts'
import { checkOptionNames } from '../../option-names.ts'
import type { Hit, Retriever } from '../../retrieve/document.ts'
import type { ChatMessage } from '../../text/chat-template.ts'
import type { Gate } from '../base/gates.ts'
import { type Model, modelOf } from '../base/model.ts'
import type { ModelCall, ModelPiece } from '../base/model-call.ts'
import { note } from '../base/trace.ts'
import { WORDINGS } from '../base/wordings.ts'
import { type PromptText, prompt, quote } from '../data/prompt.ts'

/** What decides, what finds, and what answers. */
export interface RetrieveIfOptions {
  gate: Gate
  retriever: Retriever
  model: Model
  /** Documents at most. Default 5. */
  k?: number
  /** The message with documents in place of the question. Default: a line of `WORDINGS`, each document quoted, then the question. */
  template?: (question: string, passages: readonly PromptText[]) => string | PromptText
}

const OPTIONS: Readonly<Record<keyof RetrieveIfOptions, true>> = {
  gate: true,
  retriever: true,
  model: true,
  k: true,
  template: true,
}

/**
 * A model that answers by itself where the gate's score of the last question is below its threshold, and with documents else. Score,
 * decision and documents stand in the trace. The text of documents is data: it is quoted, whatever it spells.
 *
 * @example
 * const gate = await gates.probe(lm, 'gate.safetensors')
 * const model = retrieveIf({ gate, retriever: index, model: localModel(lm) })
 */
export function retrieveIf(options: RetrieveIfOptions): Model {
  checkOptionNames('retrieveIf', options, OPTIONS)
  const { gate, retriever, model, k = 5, template = withPassages } = options
  if (!(Number.isSafeInteger(k) && k >= 1)) throw new UsageError(`k: expected a whole number of at least 1, got ${k}`)
  const { read: _, ...rest } = model
  const answer = async function* (call: ModelCall): AsyncGenerator<ModelPiece, void, undefined> {
    const at = call.messages.findLastIndex(({ role }) => role === 'user')
    const content = call.messages[at]?.content
    if (typeof content !== 'string')
      throw new UsageError('messages: expected a question, a message of the user that is a text, got none')
    const found = await gate.score({ question: content, call, model })
    const { score, pieces } = typeof found === 'number' ? { score: found, pieces: undefined } : found
    if (Number.isNaN(score)) throw new UsageError(`${gate.name}: expected a score that is a number, got NaN`)
    const told = { gate: gate.name, score, threshold: gate.threshold }
    if (score < gate.threshold) {
      note('retrieve', { ...told, isRetrieved: false })
      yield* pieces ?? model.answer(call)
      return
    }
    const { signal } = call
    const hits = await retriever.search(content, { k, ...(signal !== undefined && { signal }) })
    note('retrieve', { ...told, isRetrieved: true, passages: hits.map(({ id, score }) => ({ id, score })) })
    // Nothing found: the question is as it was.
    if (hits.length === 0) {
      yield* pieces ?? model.answer(call)
      return
    }
    const asked = String(template(content, hits.map(quoted)))
    const messages = call.messages.map(
      (message, i): ChatMessage => (i === at ? { ...message, content: asked } : message),
    )
    yield* model.answer({ ...call, messages })
  }
  return modelOf({ ...rest, name: `${model.name} with documents`, answer })
}

const quoted = ({ text }: Hit): PromptText => quote(text, { name: 'document' })

function withPassages(question: string, passages: readonly PromptText[]): PromptText {
  return prompt`${[WORDINGS.documents, ...passages]}\n\n${question}`
}
