// An answer that was kept is the one that was given.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { AnswerStore } from './answer-store.ts'

it.each([-Number.POSITIVE_INFINITY, Number.NaN, -1.5, -0])('keeps the sum %d', (sum) => {
  const directory = mkdtempSync(join(tmpdir(), 'answers-'))
  const file = join(directory, 'answers.jsonl')
  const store = new AnswerStore(file)
  store.put('a', { sum, isGreedy: false })
  store.flush()
  expect(new AnswerStore(file).get('a')!.sum! + 0).toBe(sum + 0)
  rmSync(directory, { recursive: true })
})

it('asks again where a line has no number', () => {
  const directory = mkdtempSync(join(tmpdir(), 'answers-'))
  const file = join(directory, 'answers.jsonl')
  writeFileSync(file, '{"key":"a","sum":null,"isGreedy":false}\n{"key":"b","text":"x"}\n')
  const store = new AnswerStore(file)
  expect([store.get('a'), store.get('b')]).toEqual([undefined, { text: 'x' }])
  rmSync(directory, { recursive: true })
})
