import { describe, expect, it } from 'vitest'
import type { SourceRow } from '../read/sources.ts'
import { type Shape, sniffShape } from './shapes.ts'

const source = (row: SourceRow['row'], line: number): SourceRow => ({
  row,
  id: { file: 'data.jsonl', offset: 0, line },
})

describe('sniffShape', () => {
  const rows = (...all: Record<string, unknown>[]) => all.map((row, i) => source(row, i + 1))

  it('guesses the commonest shape and says why', async () => {
    const guess = await sniffShape(rows({ messages: [] }, { messages: [], label: null }, { text: 'x' }))
    expect(guess).toEqual({
      shape: 'messages' satisfies Shape,
      reason: "2 of 3 rows have 'messages'",
      rows: 3,
      others: 1,
      isRunningText: false,
    })
  })

  it('looks at no more than a thousand rows', async () => {
    function* endless() {
      for (let line = 1; ; line++) yield source({ prompt: 'a', completion: 'b' }, line)
    }
    expect(await sniffShape(endless())).toMatchObject({ shape: 'prompt-completion', rows: 1000 })
  })

  it('lists what it accepts when it knows none of it', async () => {
    await expect(sniffShape(rows({ q: 1 }))).rejects.toThrow(/found fields q\./)
    // Shapes that no stage takes are no advice, neither in the list nor as the nearest.
    await expect(sniffShape(rows({ q: 1 }))).rejects.toThrow(
      /^(?!.*(?:labelled|prompt \{prompt\})).*alpaca \{instruction, output\}/,
    )
    await expect(sniffShape(rows({ completion: 'a', label: true }))).rejects.toThrow(/Nearest is prompt-completion /)
    await expect(sniffShape([])).rejects.toThrow(/at least one row/)
  })
})
