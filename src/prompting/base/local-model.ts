// A model of ours as programs ask it: in this process, bound by masks, with every text and id known.

import { chat } from '../../chat/chat.ts'
import { chatPrompt, planChat } from '../../chat/plan.ts'
import type { ChatRequest } from '../../chat/request.ts'
import { UnsupportedError } from '../../errors.ts'
import type { Embedder } from '../../lm/embedder.ts'
import type { Lm, TokenLogProb } from '../../lm/lm.ts'
import { checkOptionNames } from '../../option-names.ts'
import { checkLm } from './check-model.ts'
import { type Cost, checkCost } from './cost.ts'
import { generateWhere } from './eager.ts'
import { type Model, modelOf } from './model.ts'
import type { AnswerToken, ModelCall, ModelPiece } from './model-call.ts'

/** What all calls of a local model have in common. */
export interface LocalModelOptions extends Pick<ChatRequest, 'adapter' | 'cacheSalt' | 'variables' | 'promptLookup'> {
  /** Default: the model's own. */
  name?: string
  /** What `embed` asks. Default: the model itself. */
  embedder?: Embedder
  /** What a million tokens cost, for traces and routes. */
  cost?: Cost
}

const OPTIONS: Readonly<Record<keyof LocalModelOptions, true>> = {
  adapter: true,
  cacheSalt: true,
  variables: true,
  promptLookup: true,
  name: true,
  embedder: true,
  cost: true,
}

/**
 * A model in this process. `loadLm` of `anneal/run` loads one.
 *
 * @example
 * const model = localModel(await loadLm('runs/demo/model'))
 * const word = await model.ask(prompt`Name a colour.`, { maxTokens: 5 })
 */
export function localModel(lm: Lm, options: LocalModelOptions = {}): Model {
  checkOptionNames('localModel', options, OPTIONS)
  checkLm('localModel', lm)
  const { name = lm.info?.name ?? 'model', embedder, cost, ...common } = options
  checkCost(cost)
  const { cacheSalt: _, ...setup } = common
  const requestOf = ({ maxTokens, drawnSeed: _drawn, where: _where, ...call }: ModelCall): ChatRequest => ({
    ...common,
    ...call,
    ...(maxTokens !== undefined && { maxNewTokens: maxTokens }),
  })
  const checkChat = (): void => {
    if (!lm.canChat)
      throw new UnsupportedError(
        `${name}: expected a model with a chat template, got one without. Add chat_template.jinja to the model`,
      )
  }
  const kept = async function* (call: ModelCall): AsyncGenerator<ModelPiece, void, undefined> {
    const { request, notices } = planChat(lm, requestOf(call))
    const { text, usage, ...rest } = await generateWhere(lm, request, call.where!)
    const deltas = text === '' ? [] : [{ type: 'text' as const, text }]
    yield { ...(notices.length > 0 && { notices }), ...rest, deltas, usage: { ...usage, reasoningTokens: 0 } }
  }
  return modelOf({
    name,
    holds: 'masks',
    // Where a text is all that comes, without thoughts and calls to be told apart, its tokens are what is checked.
    keeps: (call) => lm.canChat && Object.keys(planChat(lm, requestOf(call)).parser).length === 0,
    setup: { provider: 'anneal', ...(lm.info?.revision !== undefined && { revision: lm.info.revision }), ...setup },
    ...(cost !== undefined && { cost }),
    answer: (call) => {
      checkChat()
      const pieces = (call.where ?? []).length > 0 ? kept(call) : chat(lm, requestOf(call))
      return call.logprobs || call.topLogprobs ? told(lm, pieces) : pieces
    },
    continues: true,
    read: (call) => {
      checkChat()
      const prompt = chatPrompt(lm, requestOf(call))
      const { messages, ...rest } = prompt
      return {
        ids: lm.encode(prompt),
        ...(lm.renderChat !== undefined && {
          text: lm.renderChat(messages, { addGenerationPrompt: !rest.continueFinalMessage, ...rest }),
        }),
      }
    },
    contextLength: lm.contextLength,
    countTokens: (text) => lm.encode({ prompt: text, addSpecialTokens: false }).length,
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
    score: async (call, texts) => {
      checkChat()
      const ids = lm.encode(chatPrompt(lm, requestOf(call)))
      const { adapter, cacheSalt } = common
      const scores = await lm.score(
        texts.map((text) => [...ids, ...lm.encode({ prompt: text, addSpecialTokens: false })]),
        {
          from: texts.map(() => ids.length),
          ...(adapter !== undefined && { adapter }),
          ...(cacheSalt !== undefined && { cacheSalt }),
          ...(call.signal !== undefined && { signal: call.signal }),
        },
      )
      return scores.map((places) => places.slice(ids.length).reduce<number>((sum, place) => sum + (place ?? 0), 0))
    },
  })
}

/** Pieces with their tokens as texts. */
async function* told(lm: Lm, pieces: AsyncIterable<ModelPiece>): AsyncGenerator<ModelPiece, void, undefined> {
  const textOf = (id: number): string =>
    lm.tokenBytes === undefined ? lm.decode([id]) : new TextDecoder().decode(lm.tokenBytes(id))
  const token = ({ id, logprob, top }: TokenLogProb): AnswerToken => ({
    token: textOf(id),
    logprob,
    top: top.map((other) => ({ token: textOf(other.id), logprob: other.logprob })),
  })
  for await (const piece of pieces)
    yield piece.logprobs === undefined ? piece : { ...piece, tokens: piece.logprobs.map(token) }
}
