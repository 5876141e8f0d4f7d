// Scores of a service are on disk as soon as they come, and not asked for a second time.
import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { dataFolder } from '../../../test/data-folder.ts'
import { keepScores } from './keep-scores.ts'

const { directory } = dataFolder()

it('goes on behind the last score of a run that was stopped, by language, and asks again for what failed', async () => {
  const file = join(directory, 'evals', 'scores.jsonl')
  const asked: string[] = []
  const notices: string[] = []
  const open = (most: number) =>
    keepScores(
      {
        name: 'https://example.org/analyze',
        score: async (texts, { language } = {}) => {
          if (asked.length === most) throw new Error('stopped')
          asked.push(`${language}:${texts.join()}`)
          return texts.map((text) => (text === 'down' ? undefined : 0.25))
        },
      },
      file,
      (message) => notices.push(message),
    )
  await expect(open(3).score(['a', 'down', 'b', 'c'], { language: 'en' })).rejects.toThrow('stopped')
  expect(asked).toEqual(['en:a', 'en:down', 'en:b'])
  expect(notices).toEqual([])
  expect(readFileSync(file, 'utf8')).not.toContain('"a"')
  appendFileSync(file, '{"key":"cut') // by a kill
  const later = open(99)
  expect(await later.score(['a', 'down', 'b', 'c', 'c'], { language: 'en' })).toEqual([
    0.25,
    undefined,
    0.25,
    0.25,
    0.25,
  ])
  expect(await later.score(['a'], { language: 'da' })).toEqual([0.25])
  expect(asked.slice(3)).toEqual(['en:down', 'en:c', 'da:a'])
  expect(notices).toEqual([
    `2 scores of https://example.org/analyze are known from before and not asked for again: ${file}. Remove it to ask anew`,
  ])
  open(99)
  expect(notices[1]).toMatch(/^4 scores/)
  expect(existsSync(file)).toBe(true)
})
