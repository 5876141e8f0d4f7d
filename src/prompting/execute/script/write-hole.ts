// How a hole is filled: on a model of ours as one running text, token by token under masks and conditions; elsewhere by a question for each.

import { UnsupportedError } from '../../../errors.ts'
import type { Structure } from '../../../grammar/grammar.ts'
import type { GenerateRequest, Lm, Prompt } from '../../../lm/lm.ts'
import type { LmSessionOptions } from '../../../lm/session.ts'
import type { ChatMessage } from '../../../text/chat-template.ts'
import type { Constraint, Standing } from '../../base/constraint.ts'
import { generateWhere } from '../../base/eager.ts'
import { exampleOf } from '../../base/example.ts'
import type { Model } from '../../base/model.ts'
import type { ModelCall, ModelPiece, ModelSettings } from '../../base/model-call.ts'
import type { Schema } from '../../base/schema.ts'
import { isDryRun, note, recordedPieces } from '../../base/trace.ts'
import { WORDINGS } from '../../base/wordings.ts'
import type { HoleRules } from './conditions.ts'
import { type ScriptValue, textOfValue } from './script-type.ts'

/** A hole, and what stands before it. */
export interface HoleRequest {
  readonly name: string
  readonly rules: HoleRules
  /** The text so far; in a script with turns the turns, of which the last is the one that the hole stands in. */
  readonly before: string | readonly ChatMessage[]
  /** The words of the script that follow at once, to the end of their line. */
  readonly stop?: string
  readonly settings: ModelSettings
}

/** Fills a hole: pieces of its text as they come, and the whole at the end. */
export type HoleWriter = (request: HoleRequest) => AsyncGenerator<string, string, undefined>

const MOST_TOKENS = 256

/** Fills holes of a text that one model of ours goes on with. */
export function runningText(lm: Lm, choice: LmSessionOptions = {}): HoleWriter {
  return async function* fill({ name, rules, before, stop, settings }) {
    const { prompt, lead } = promptOf(lm, before)
    const { maxTokens = MOST_TOKENS, signal, ...drawn } = settings
    const own = rules.structure
    const structure = composed(lead, own, stop)
    const isStopped = own === undefined && stop !== undefined
    const call: ModelCall = {
      messages: typeof before === 'string' ? [] : before,
      maxTokens,
      ...drawn,
      ...(signal !== undefined && { signal }),
      ...(structure !== undefined && { structure }),
      ...(isStopped && { stop: [stop] }),
    }
    const request: GenerateRequest = {
      ...prompt,
      ...choice,
      maxNewTokens: maxTokens,
      ...drawn,
      ...(signal !== undefined && { signal }),
      ...(structure !== undefined && { structure }),
      ...(isStopped && { stop: [stop] }),
    }
    const end = own === undefined ? '' : (stop ?? '')
    const constraints = rules.constraints.map((one) => within(one, lead, end))
    const pieces = recordedPieces(
      () => {
        note('script', { hole: name, ...(constraints.length > 0 && { where: constraints.map((one) => one.name) }) })
        return isDryRun() ? madeUp(lead + exampleText(name, rules)) : generated(lm, request, constraints)
      },
      {
        name: lm.info?.name ?? 'model',
        ...(choice.adapter !== undefined && { setup: { adapter: choice.adapter } }),
        read: () => ({ ids: lm.encode(prompt), ...textOf(lm, prompt) }),
      },
      call,
    )
    let text = ''
    let given = 0
    for await (const { deltas } of pieces) {
      for (const delta of deltas) if (delta.type === 'text') text += delta.text
      // What may be a part of the end waits.
      const sure = inner(text, lead, '').slice(0, Math.max(0, text.length - lead.length - end.length))
      if (sure.length > given) yield sure.slice(given)
      given = Math.max(given, sure.length)
    }
    const whole = inner(text, lead, end)
    if (whole.length > given) yield whole.slice(given)
    return whole
  }
}

/** What the model goes on with. White space at its end is written with the answer: models know ` 5` as one token. */
function promptOf(lm: Lm, before: HoleRequest['before']): { prompt: Prompt; lead: string } {
  if (typeof before === 'string') {
    const lead = before.endsWith(' ') && before.trim() !== '' ? ' ' : ''
    return { prompt: { prompt: before.slice(0, before.length - lead.length) }, lead }
  }
  if (!lm.canChat)
    throw new UnsupportedError(
      `${lm.info?.name ?? 'model'}: expected a model with a chat template for a script with turns, got one without. Leave out system, user and assistant`,
    )
  const last = before.at(-1)
  const content = String(last?.content ?? '')
  if (content.trim() === '') return { prompt: { messages: before.slice(0, -1) }, lead: content }
  const kept = content.trimEnd()
  return {
    prompt: { messages: [...before.slice(0, -1), { ...last!, content: kept }], continueFinalMessage: true },
    lead: content.slice(kept.length),
  }
}

function textOf(lm: Lm, prompt: Prompt): { text?: string } {
  if ('prompt' in prompt) return { text: prompt.prompt }
  if (!('messages' in prompt) || lm.renderChat === undefined) return {}
  const { messages, ...rest } = prompt
  return { text: lm.renderChat(messages, { addGenerationPrompt: !rest.continueFinalMessage, ...rest }) }
}

/** White space that has to come, the hole's own structure, and the words that follow, by which the model tells that a number is over. */
function composed(lead: string, own: Structure | undefined, stop: string | undefined): Structure | undefined {
  if (own === undefined) return lead === '' ? undefined : { sequence: [{ text: lead }, { until: [] }] }
  const parts: Structure[] = [own]
  if (lead !== '') parts.unshift({ text: lead })
  if (stop !== undefined) parts.push({ text: stop })
  return parts.length === 1 ? own : { sequence: parts }
}

/** The hole's text of what was written. */
function inner(text: string, lead: string, end: string): string {
  const behind = text.startsWith(lead) ? text.slice(lead.length) : ''
  return end !== '' && behind.endsWith(end) ? behind.slice(0, -end.length) : behind
}

/** A constraint of the hole's text, asked of the text with what comes before and after it. */
function within(one: Constraint, lead: string, end: string): Constraint {
  if (lead === '' && end === '') return one
  return {
    name: one.name,
    check(text): Standing {
      if (text.length < lead.length) return lead.startsWith(text) ? 'open' : 'broken'
      const own = inner(text, lead, '')
      const found = [one.check(own)]
      for (let length = 1; length <= Math.min(end.length, own.length); length++)
        if (own.endsWith(end.slice(0, length))) found.push(one.check(own.slice(0, -length)))
      return found.includes('holds') ? 'holds' : found.includes('open') ? 'open' : 'broken'
    },
  }
}

/** The text as it comes; where conditions are checked, when it is whole. */
async function* generated(
  lm: Lm,
  request: GenerateRequest,
  constraints: readonly Constraint[],
): AsyncGenerator<ModelPiece, void, undefined> {
  if (constraints.length > 0) {
    const { text, usage, ...rest } = await generateWhere(lm, request, constraints)
    yield { ...rest, deltas: [{ type: 'text', text }], usage: { ...usage, reasoningTokens: 0 } }
    return
  }
  for await (const { text, usage, ...rest } of lm.generate(request))
    yield {
      ...rest,
      deltas: text === '' ? [] : [{ type: 'text', text }],
      ...(usage !== undefined && { usage: { ...usage, reasoningTokens: 0 } }),
    }
}

async function* madeUp(text: string): AsyncGenerator<ModelPiece, void, undefined> {
  const usage = { promptTokens: 0, completionTokens: 0, reasoningTokens: 0 }
  yield { deltas: [{ type: 'text', text }], tokenIds: [], finishReason: 'stop', usage }
}

/** What stands for an answer in a dry run: a value of the type, or the hole's name. */
function exampleText(name: string, { schema }: HoleRules): string {
  const { type, enum: options } = schema as { type?: string; enum?: unknown }
  if (type === 'string' && options === undefined) return `(${name})`
  return textOfValue(JSON.parse(exampleOf({ json_schema: schema })) as ScriptValue)
}

/** Fills holes by questions: the text so far, and what is to come of it. */
export function questions(model: Model): HoleWriter {
  return async function* fill({ name, rules, before, stop, settings }) {
    const messages = asked(before)
    const { type, enum: options, pattern } = rules.schema as { type?: string; enum?: unknown; pattern?: unknown }
    const isText = type === 'string' && options === undefined && pattern === undefined
    if (!isText || rules.constraints.length > 0) {
      const value = await model.ask(messages, { ...settings, as: schemaOf(rules) })
      const text = isDryRun() && isText ? `(${name})` : textOfValue(value)
      yield text
      return text
    }
    const ends = stop === undefined ? {} : { stop: [stop] }
    if (isDryRun()) {
      await model.ask(messages, { ...settings, ...ends })
      yield `(${name})`
      return `(${name})`
    }
    let text = ''
    for await (const piece of model.stream(messages, { ...settings, ...ends })) {
      text += piece
      yield piece
    }
    return text
  }
}

function asked(before: HoleRequest['before']): ChatMessage[] {
  if (typeof before === 'string') {
    const content = WORDINGS.goOn.replace('{text}', () => before)
    return [{ role: 'user', content }]
  }
  const last = before.at(-1)
  if (last === undefined || String(last.content).trim() === '') return before.slice(0, -1).map((one) => ({ ...one }))
  return [...before.map((one) => ({ ...one })), { role: 'user', content: WORDINGS.goOnAnswer }]
}

/** What a value has to be, its conditions checked by hand. */
function schemaOf({ schema, read, constraints }: HoleRules): Schema<ScriptValue> {
  return {
    '~standard': {
      version: 1,
      vendor: 'anneal',
      jsonSchema: { input: () => schema as Record<string, unknown> },
      validate(value) {
        const text = textOfValue(value as ScriptValue)
        if (read(text) === undefined)
          return { issues: [{ message: `must be of the schema ${JSON.stringify(schema)}` }] }
        const broken = constraints.filter((one) => one.check(text) !== 'holds')
        return broken.length === 0
          ? { value: value as ScriptValue }
          : { issues: broken.map((one) => ({ message: `must keep to ${one.name}` })) }
      },
    },
  }
}
