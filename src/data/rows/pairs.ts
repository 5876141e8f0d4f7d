// A better and a worse answer → their prompt and what differs. Sets write the prompt beside the answers, in front of both, or both.

import type { Message, Preference, Turns } from './conversation.ts'
import { wrong } from './messages.ts'
import type { Row } from './row.ts'

/**
 * The pair of a row whose prompt is given, none of it twice. Answers that are whole chats bring the prompt along: it is the turns that they
 * share, and what is given as the prompt must be part of them.
 */
export function pairWithPrompt(row: Row, given: Turns, role: string): Preference {
  const chosen = row.answer('chosen')
  const rejected = row.answer('rejected')
  if (isChat(chosen) && isChat(rejected)) return pairOfChats(row, chosen, rejected, { given, role })
  if (typeof given === 'string' && typeof chosen === 'string' && typeof rejected === 'string')
    return { kind: 'preference', prompt: given, chosen, rejected }
  const turns = typeof given === 'string' ? asTurns(given, 'user') : given
  const [better, worse] = [asTurns(chosen, 'assistant'), asTurns(rejected, 'assistant')]
  if (beginsWithUser(better) && turns.at(-1)?.role !== 'assistant')
    throw wrong(row.at('chosen'), 'an answer, or a chat as in rejected', chosen)
  return { kind: 'preference', prompt: withoutAnswer(row, turns, better, role), chosen: better, rejected: worse }
}

/** The pair of a row without a prompt: what both answers begin with. */
export function pairWithoutPrompt(row: Row): Preference {
  const chosen = row.answer('chosen')
  const rejected = row.answer('rejected')
  return pairFrom(row, chosen, rejected)
}

/** The pair of two whole chats, or of two whole texts. */
export function pairFrom(row: Row, chosen: Turns, rejected: Turns): Preference {
  if (typeof chosen === 'string' && typeof rejected === 'string') return pairOfTexts(chosen, rejected)
  if (typeof chosen === 'string' || typeof rejected === 'string')
    throw wrong(row.at('rejected'), 'the same form as in chosen: two strings or two lists of messages', rejected)
  return pairOfChats(row, chosen, rejected)
}

function pairOfTexts(chosen: string, rejected: string): Preference {
  let length = 0
  while (chosen !== rejected && length < chosen.length && chosen[length] === rejected[length]) length++
  // TRL's rule: the space before the answers belongs to them.
  if (chosen[length - 1] === ' ') length--
  return {
    kind: 'preference',
    prompt: chosen.slice(0, length),
    chosen: chosen.slice(length),
    rejected: rejected.slice(length),
  }
}

function pairOfChats(
  row: Row,
  chosen: Message[],
  rejected: Message[],
  explicit?: { given: Turns; role: string },
): Preference {
  // An answer must be left of both: a chat that goes on where the other ends differs from there.
  let common = commonTurns(chosen, rejected)
  while (common > 0 && (common === chosen.length || common === rejected.length)) common--
  while (common > 0 && chosen[common - 1]!.role === 'assistant' && chosen[common]!.role === 'assistant') common--
  if (common === 0) throw wrong(row.at('chosen'), 'turns that chosen and rejected share, or a prompt', chosen)
  const shared = row.withSystem(chosen.slice(0, common))
  const prompt = explicit === undefined ? shared : withGiven(row, shared, chosen, explicit)
  return { kind: 'preference', prompt, chosen: chosen.slice(common), rejected: rejected.slice(common) }
}

/** The shared turns with those of the given prompt that come before them. Throws InputError where the two are at odds. */
function withGiven(
  row: Row,
  shared: Message[],
  chosen: Message[],
  { given, role }: { given: Turns; role: string },
): Message[] {
  if (typeof given === 'string') {
    if (shared.some(({ content }) => content.trim() === given.trim())) return shared
    throw wrong(row.at(role), 'a turn that chosen and rejected share', given)
  }
  // Some sets repeat all of the chosen chat.
  if (commonTurns(given, shared) === given.length || commonTurns(given, chosen) === given.length) return shared
  for (let before = 1; before < given.length; before++)
    if (commonTurns(given.slice(before), shared) === given.length - before)
      return [...given.slice(0, before), ...shared]
  if (given.at(-1)!.role === 'assistant') return [...given, ...shared]
  throw wrong(row.at(role), 'the turns that chosen and rejected begin with', given)
}

/** Some sets write the chosen answer at the end of the prompt, too. */
function withoutAnswer(row: Row, prompt: Message[], chosen: Message[], role: string): Message[] {
  const last = prompt.at(-1)!
  if (last.role !== 'assistant' || beginsWithUser(chosen)) return prompt
  if (JSON.stringify(last) === JSON.stringify(chosen[0]) && prompt.length > 1) return prompt.slice(0, -1)
  throw wrong(row.at(role), 'a last turn that is not the assistant’s', last)
}

function isChat(turns: Turns): turns is Message[] {
  return typeof turns !== 'string' && beginsWithUser(turns)
}

function beginsWithUser(turns: readonly Message[]): boolean {
  const role = turns[0]?.role
  return role === 'user' || role === 'system' || role === 'developer'
}

function asTurns(turns: Turns, role: 'user' | 'assistant'): Message[] {
  return typeof turns === 'string' ? [{ role, content: turns }] : turns
}

function commonTurns(a: readonly Message[], b: readonly Message[]): number {
  const differs = a.findIndex((message, i) => JSON.stringify(message) !== JSON.stringify(b[i]))
  return differs === -1 ? a.length : differs
}
