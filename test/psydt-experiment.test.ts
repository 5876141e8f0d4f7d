// What PsyDT's claims are measured on: what is held out is in no lesson, and the tables are those of the figures.
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import type { SeedResult } from '../experiments/psydt/run.ts'
import { crowd, dialoguesOf, heldSessions, TARGET, talkOf, talkOfRow } from '../experiments/psydt/setting.ts'
import { tables } from '../experiments/psydt/tables.ts'
import { COUNSELLORS, worldCases } from '../experiments/psydt/world.ts'

const results = new URL('../experiments/psydt/results/2026-11-28-template', import.meta.url)
const textOf = ({ messages }: { messages: readonly { content: unknown }[] }): string =>
  messages
    .slice(1)
    .map(({ content }) => content)
    .join('\n')

it('writes its tables from its figures', () => {
  const { seeds } = JSON.parse(readFileSync(`${results.pathname}.json`, 'utf8')) as { seeds: SeedResult[] }
  expect(readFileSync(`${results.pathname}.md`, 'utf8')).toBe(tables(seeds))
})

it('holds out sessions that nobody learns from, without the words that no synthesis may copy', async () => {
  const held = heldSessions(TARGET, 2, 1)
  expect(held).toHaveLength(24)
  const { rows } = await dialoguesOf(TARGET, 6, 'topic', 1)
  const taught = new Set([...rows.map(talkOfRow), ...worldCases(TARGET, 1).map(talkOf), ...crowd(24, 1)].map(textOf))
  expect(taught.size).toBe(6 + 12 + 24)
  for (const one of held) {
    expect(taught.has(textOf(talkOf(one)))).toBe(false)
    expect(one.turns).toHaveLength(14)
    expect(one.turns.some(({ text }) => text.includes(TARGET.creed))).toBe(false)
  }
})

it('tells every model the same, and lets the crowd talk like none of the three', async () => {
  const { rows } = await dialoguesOf(COUNSELLORS[1]!, 2, 'topic', 1)
  const talks = [...rows.map(talkOfRow), ...worldCases(TARGET, 1).map(talkOf), ...crowd(24, 1)]
  expect(new Set(talks.map(({ messages }) => messages[0]!.content)).size).toBe(1)
  for (const { manner } of COUNSELLORS) expect(crowd(48, 1).map(textOf).join('\n')).not.toContain(`${manner.opening},`)
})
