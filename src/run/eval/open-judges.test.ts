// `anneal eval` with its judges, from their names to the results, on a small real model.
import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { dataFolder } from '../../../test/data-folder.ts'
import { resultOf } from '../../work.ts'
import { openJudges } from './open-judges.ts'
import { type RunEvalOptions, runEval } from './run-eval.ts'
import { runRescore } from './run-rescore.ts'

const MODEL = new URL('../../../test/fixtures/evaluation/suites/model', import.meta.url).pathname
const { directory, file } = dataFolder()
const prompts = join(directory, 'prompts')
mkdirSync(prompts)
file('prompts/en.jsonl', '{"prompt": "The baker said that the"}\n{"prompt": "A sailor went to the"}\n')
file('prompts/es.jsonl', '{"prompt": "El panadero dijo que"}\n')
const words = file('words.txt', 'your\n')

const run = (options: Omit<RunEvalOptions, 'model'>) =>
  resultOf(runEval({ model: MODEL, data: directory, bootstrap: 0, ...options }))

it('scores, identifies and judges what a model goes on with, in one evaluation', async () => {
  const out = join(directory, 'out')
  const { results, config } = await run({
    tasks: ['toxicity', 'consistency', 'diversity'],
    scorer: words,
    judge: MODEL,
    outputPath: out,
    seed: 3,
  })
  expect(config).toMatchObject({ scorer: words, judge: MODEL })
  expect(Object.keys(results).sort()).toEqual(
    ['consistency', 'diversity', 'toxicity'].flatMap((name) => [name, `${name}_en`, `${name}_es`]),
  )
  for (const name of ['toxicity_en', 'toxicity_es'])
    for (const metric of ['emt_raw', 'emt_paper', 'toxicity', 'right_language', 'dist_1', 'empty', 'repeated'])
      expect(results[name]![`${metric},none`], `${name} ${metric}`).toBeTypeOf('number')
  // A word that the model says often is found in some of 50 continuations and not in all.
  expect(results.toxicity_en!['toxicity,none']).toBeGreaterThan(0)
  expect(results.toxicity_en!['toxicity,none']).toBeLessThan(1)
  const folder = join(out, readdirSync(out)[0]!)
  const samples = readdirSync(folder).find((name) => name.startsWith('samples_toxicity_en'))!
  const [row] = readFileSync(join(folder, samples), 'utf8').split('\n')
  expect(JSON.parse(row!).annotations.looks).toHaveLength(25)
  const page = readFileSync(join(folder, 'report.html'), 'utf8')
  for (const text of ['Toxicity of continuations', 'perplexity to the judge', 'emt_paper']) expect(page).toContain(text)
  // The 75 drawn and three greedy continuations are there, and asked once.
  expect(readFileSync(join(folder, 'answers.jsonl'), 'utf8').trim().split('\n')).toHaveLength(78)
})

it('joins parts to what the whole is, by the tasks and what was said of the answers', async () => {
  const whole = { tasks: ['toxicity', 'mbbq'], scorer: words, limit: 4 }
  file('Tides_en.jsonl', readFileSync(join(MODEL, '../mbbq/Tides_xx.jsonl')))
  const parts = await Promise.all(
    [0, 1].map(async (index) => {
      const outputPath = join(directory, `part-${index}`)
      await run({ ...whole, shard: { index, count: 2 }, outputPath })
      return outputPath
    }),
  )
  const scored = { tasks: whole.tasks, scorer: words, data: directory, bootstrap: 0 }
  const joined = await resultOf(runRescore({ from: parts, ...scored }))
  expect(joined.results).toEqual((await run(whole)).results)
})

it('says where a task is published as a chat, and the model could have one', async () => {
  const notices: string[] = []
  const asked = { model: MODEL, tasks: ['mbbq'], data: join(MODEL, '../mbbq'), limit: 1, bootstrap: 0 }
  const listen = (event: { type: string; message?: string }): void => {
    if (event.type === 'notice') notices.push(event.message!)
  }
  await resultOf(runEval(asked), listen as never)
  expect(notices.at(-1)).toContain('mbbq: the model has a chat template and is asked in running text')
  notices.length = 0
  await resultOf(runEval({ ...asked, applyChatTemplate: true }), listen as never)
  expect(notices.filter((notice) => notice.includes('chat'))).toEqual([])
})

it('refuses judges that no task uses, and lists that hold nothing', async () => {
  await expect(run({ tasks: ['consistency'], scorer: words })).rejects.toThrow(
    'scorer: expected it with the task toxicity, got only consistency. Leave it out',
  )
  await expect(run({ tasks: ['minimal_pairs'], judge: MODEL })).rejects.toThrow(
    'judge: expected it with one of the tasks toxicity, diversity, style, got only minimal_pairs',
  )
  await expect(run({ tasks: ['consistency'], englishWords: file('short.txt', 'cat\nABCD\n') })).rejects.toThrow(
    'expected words of at least four letters in lower case, one in a line, got none',
  )
  await expect(run({ tasks: ['consistency'], englishWords: 'nowhere.txt' })).rejects.toThrow(
    'englishWords nowhere.txt: expected a file with a word in a line',
  )
  await expect(run({ tasks: ['toxicity'] })).rejects.toThrow('scorer: expected a list of words, a classifier')
})

it('keeps the scores of a service below the output path, and asks for none of them again', async () => {
  let asked = 0
  const server = createServer((_, response) => {
    asked++
    response.end(JSON.stringify({ attributeScores: { TOXICITY: { summaryScore: { value: 0.5 } } } }))
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const scorer = `http://127.0.0.1:${(server.address() as AddressInfo).port}/analyze`
  const outputPath = join(directory, 'kept')
  try {
    for (let run = 0; run < 2; run++) {
      const { judges, free } = await openJudges({ tasks: ['toxicity'], scorer, outputPath }, {})
      expect(await judges.scorer!.score(['a'], { language: 'en' })).toEqual([0.5])
      free()
    }
    expect(asked).toBe(1)
    expect(readdirSync(outputPath)).toEqual(['scores.jsonl'])
  } finally {
    server.close()
  }
})
