// A model of ours as programs ask it: in this process, bound by masks, with every text and id known.

import { chat } from '../../chat/chat.ts'
import { chatPrompt } from '../../chat/plan.ts'
import type { ChatRequest } from '../../chat/request.ts'
import { UnsupportedError } from '../../errors.ts'
import type { Embedder } from '../../lm/embedder.ts'
import type { Lm } from '../../lm/lm.ts'
import { type Model, modelOf } from './model.ts'
import type { ModelCall } from './model-call.ts'

/** What all calls of a local model have in common. */
export interface LocalModelOptions extends Pick<ChatRequest, 'adapter' | 'cacheSalt' | 'variables' | 'promptLookup'> {
  /** Default: the model's own. */
  name?: string
  /** What `embed` asks. Default: the model itself. */
  embedder?: Embedder
}

/**
 * A model in this process. `loadLm` of `anneal/run` loads one.
 *
 * @example
 * const model = localModel(await loadLm('runs/demo/model'))
 * const word = await model.ask(prompt`Name a colour.`, { maxTokens: 5 })
 */
export function localModel(lm: Lm, options: LocalModelOptions = {}): Model {
  const { name = lm.info?.name ?? 'model', embedder, ...common } = options
  const requestOf = ({ maxTokens, ...call }: ModelCall): ChatRequest => ({
    ...common,
    ...call,
    ...(maxTokens !== undefined && { maxNewTokens: maxTokens }),
  })
  return modelOf({
    name,
    holds: 'masks',
    answer: (call) => {
      if (lm.canChat) return chat(lm, requestOf(call))
      throw new UnsupportedError(
        `${name}: expected a model with a chat template, got one without. Add chat_template.jinja to the model`,
      )
    },
    read: (call) => {
      const prompt = chatPrompt(lm, requestOf(call))
      const { messages, ...rest } = prompt
      return {
        ids: lm.encode(prompt),
        ...(lm.renderChat !== undefined && { text: lm.renderChat(messages, { addGenerationPrompt: true, ...rest }) }),
      }
    },
    embed: async (texts, { signal } = {}) => {
      const more = signal === undefined ? {} : { signal }
      if (embedder !== undefined) return embedder.embed(texts, more)
      if (lm.embed !== undefined)
        return lm.embed(
          texts.map((text) => ({ prompt: text })),
          more,
        )
      throw new UnsupportedError(`${name}: expected a model that gives vectors, got one without. Give \`embedder\``)
    },
  })
}
