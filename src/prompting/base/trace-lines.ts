// A trace for people: a line or two for each call, indented below the wrapper that made it, under the programs that it was made in.

import { counted } from '../../report/amounts.ts'
import { isText } from './is-running-text.ts'
import type { Trace, TracedCall } from './traced-call.ts'

/** The lines of a trace. */
export function traceLines({ calls, fault, isDry }: Trace): string[] {
  const lines: string[] = []
  let program = ''
  const children = new Map<number | undefined, TracedCall[]>()
  for (const call of calls) {
    const known = children.get(call.parent)
    if (known === undefined) children.set(call.parent, [call])
    else known.push(call)
  }
  const tell = (call: TracedCall, depth: number): void => {
    const now = call.path.join(' › ')
    if (now !== program) lines.push(now === '' ? '(no program)' : now)
    program = now
    const indent = '  '.repeat(depth + 1)
    lines.push(indent + headOf(call), ...bodyOf(call).map((line) => `${indent}    ${line}`))
    for (const inner of children.get(call.id) ?? []) tell(inner, depth + 1)
  }
  for (const call of children.get(undefined) ?? []) tell(call, 0)
  const own = calls.filter(({ isWrapper }) => !isWrapper)
  const sum = (of: (call: TracedCall) => number | undefined): number =>
    own.reduce((all, call) => all + (of(call) ?? 0), 0)
  const cost = own.some((call) => call.cost !== undefined)
    ? `, cost ${Number(sum((call) => call.cost).toPrecision(4))}`
    : ''
  const tokens = `${sum((call) => call.answer?.usage.promptTokens)} + ${sum((call) => call.answer?.usage.completionTokens)} tokens`
  lines.push(`${counted(own.length, 'call')} of models, ${tokens}${cost}${isDry ? ' (a dry run)' : ''}`)
  if (fault !== undefined) lines.push(`failed: ${fault}`)
  return lines
}

function headOf({ id, model, isWrapper, call, answer, ids, took, cost, setup }: TracedCall): string {
  const { usage, finishReason } = answer ?? {}
  const cached = usage?.cachedTokens ? ` (${usage.cachedTokens} cached)` : ''
  return [
    `${id} ${model}${isWrapper ? ' (wrapper)' : ''}`,
    ...(setup?.adapter ? [`adapter ${setup.adapter}`] : []),
    ...(isWrapper || usage === undefined
      ? []
      : [`${usage.promptTokens || (ids?.length ?? 0)}${cached} + ${usage.completionTokens} tokens`]),
    `${(took / 1000).toFixed(3)} s`,
    ...(answer?.cached === undefined ? [] : [`cached, ${answer.cached.kind}`]),
    ...(finishReason === undefined ? [] : [finishReason]),
    ...(call.seed === undefined || isWrapper ? [] : [`seed ${call.seed}`]),
    ...(call.structure === undefined ? [] : [`held to ${Object.keys(call.structure)[0]}`]),
    ...(cost === undefined ? [] : [`cost ${Number(cost.toPrecision(4))}`]),
  ].join(', ')
}

function bodyOf({ call, text, answer, scores, fault, again, notes = [] }: TracedCall): string[] {
  const last = call.messages.at(-1)
  const content = typeof last?.content === 'string' ? last.content : JSON.stringify(last?.content)
  return [
    isText(call.messages) ? `< text: ${end(text ?? content ?? '')}` : `< ${last?.role ?? ''}: ${brief(content ?? '')}`,
    ...(answer === undefined ? [] : [`> ${brief(answer.text)}`]),
    ...(answer?.toolCalls ?? []).map(({ name, arguments: given }) => `> ${name}(${brief(given)})`),
    ...(scores === undefined ? [] : [`> ${JSON.stringify(scores)}`]),
    ...notes.map(({ by, ...what }) => `. ${by} ${brief(JSON.stringify(what))}`),
    ...(again === undefined ? [] : [`. asked again after call ${again}`]),
    ...(fault === undefined ? [] : [`! ${brief(fault)}`]),
  ]
}

const MOST = 100
/** Of a text that a model goes on with, what it was given last. */
const end = (text: string): string => {
  const line = text.replaceAll(/\s+/g, ' ').trim()
  return line.length > MOST ? `…${line.slice(-MOST)}` : line
}
const brief = (text: string): string => {
  const line = text.replaceAll(/\s+/g, ' ').trim()
  return line.length > MOST ? `${line.slice(0, MOST)}…` : line
}
