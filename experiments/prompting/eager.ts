// How many tokens constraints cost that are checked while a text is made, against making whole texts until one holds: the same model, the same
// prompts and seeds. `npx tsx experiments/prompting/eager.ts MODEL [MODEL …]`; `make demo` makes one (runs/demo/model).

import { mkdirSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { basename, dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { collect, type Lm } from '../../src/lm/lm.ts'
import { type Constraint, standing } from '../../src/prompting/base/constraint.ts'
import { generateWhere } from '../../src/prompting/base/eager.ts'
import { openSession } from '../../src/prompting/execute/session.ts'
import { where } from '../../src/prompting/execute/where.ts'
import { loadLm } from '../../src/run/index.ts'

/** Whole texts that are made at most for one prompt. */
const MOST_TRIES = 20
const TEMPERATURE = 0.8

const NAMES = ['Lily', 'Tom', 'Sue', 'Ben', 'Mia', 'Max', 'Anna', 'Sam', 'The dog', 'A bird']
const OPENINGS = [
  'One day, # went to the park.',
  '# was very happy.',
  'Once upon a time, there was #.',
  '# saw a big box.',
  '# wanted to play.',
]
const PROMPTS = OPENINGS.flatMap((opening) => NAMES.map((name) => opening.replace('#', name)))

const TASKS: readonly { name: string; maxNewTokens: number; where: readonly Constraint[] }[] = [
  { name: 'no word "and"', maxNewTokens: 32, where: [where.not(/\band\b/i)] },
  {
    name: 'one sentence of 4 to 12 words',
    maxNewTokens: 40,
    where: [where.words({ min: 4, max: 12 }), where.sentences({ min: 1, max: 1 })],
  },
  { name: 'no letter w', maxNewTokens: 24, where: [where.not(/w/i)] },
  {
    name: 'two sentences, at most 100 characters',
    maxNewTokens: 60,
    where: [where.sentences({ min: 2, max: 2 }), where.characters({ max: 100 })],
  },
]

interface Cost {
  held: number
  tokens: number
  kept: number
  refused: number
  seconds: number
}

async function eagerly(lm: Lm, task: (typeof TASKS)[number], counts: boolean[]): Promise<Cost> {
  const cost: Cost = { held: 0, tokens: 0, kept: 0, refused: 0, seconds: 0 }
  const began = performance.now()
  for (const [seed, prompt] of PROMPTS.entries()) {
    const made = await generateWhere(
      lm,
      { prompt, maxNewTokens: task.maxNewTokens, temperature: TEMPERATURE, seed },
      task.where,
    ).catch((error: unknown) => (error as { answer?: Awaited<ReturnType<typeof generateWhere>> }).answer!)
    const holds = standing(made.text, task.where).standing === 'holds'
    counts.push(holds)
    cost.held += Number(holds)
    cost.tokens += made.usage.completionTokens
    cost.kept += made.tokenIds.length
    cost.refused += made.usage.refusedTokens ?? 0
  }
  return { ...cost, seconds: (performance.now() - began) / 1000 }
}

async function byRejection(lm: Lm, task: (typeof TASKS)[number]): Promise<Cost> {
  const cost: Cost = { held: 0, tokens: 0, kept: 0, refused: 0, seconds: 0 }
  const began = performance.now()
  for (const [at, prompt] of PROMPTS.entries())
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const seed = at + tries * 1000
      const made = await collect(
        lm.generate({ prompt, maxNewTokens: task.maxNewTokens, temperature: TEMPERATURE, seed }),
      )
      cost.tokens += made.usage.completionTokens
      if (standing(made.text, task.where).standing !== 'holds') continue
      cost.held++
      cost.kept += made.tokenIds.length
      break
    }
  return { ...cost, seconds: (performance.now() - began) / 1000 }
}

/** Tokens of prompts that are read for a question with several answers, with and without forks. */
async function forks(lm: Lm): Promise<{ prompt: number; branches: number; read: number; without: number }> {
  const root = openSession(lm, `${PROMPTS.slice(0, 12).join(' ')}\n`)
  await root.ask('', { maxTokens: 1, temperature: 0 })
  const branches = root.fork(5)
  for (const [seed, one] of branches.entries()) await one.ask(' Then', { seed, temperature: TEMPERATURE, maxTokens: 8 })
  const usages = [root, ...branches].map(({ usage }) => usage)
  return {
    prompt: root.usage.promptTokens,
    branches: branches.length,
    read: usages.reduce((sum, { promptTokens, cachedTokens = 0 }) => sum + promptTokens - cachedTokens, 0),
    without: usages.reduce((sum, { promptTokens }) => sum + promptTokens, 0),
  }
}

const models = process.argv.slice(2)
if (models.length === 0) throw new Error('usage: eager.ts MODEL [MODEL …]')
const processor = cpus()[0]?.model ?? 'unknown'
const rows: string[] = []
const results: unknown[] = []
for (const path of models) {
  const lm = await loadLm(path)
  const model = basename(path) === 'model' ? basename(dirname(path)) : basename(path)
  for (const task of TASKS) {
    const [eager, rejection] = [await eagerly(lm, task, []), await byRejection(lm, task)]
    const saved = 1 - eager.tokens / rejection.tokens
    results.push({ model, task: task.name, prompts: PROMPTS.length, eager, rejection, saved })
    rows.push(
      `| ${model} | ${task.name} | ${eager.tokens} | ${eager.tokens - eager.kept} | ${eager.refused} | ${eager.held}/${PROMPTS.length} | ${rejection.tokens} | ${rejection.held}/${PROMPTS.length} | ${(100 * saved).toFixed(0)} % | ${eager.seconds.toFixed(1)} / ${rejection.seconds.toFixed(1)} |`,
    )
    console.log(rows.at(-1))
  }
  const shared = await forks(lm)
  results.push({ model, forks: shared })
  console.log(model, shared)
  rows.push(
    '',
    `${model}: five forks of a prompt of ${shared.prompt} tokens read ${shared.read} prompt tokens in all, ${shared.without} without sharing.`,
    '',
  )
  lm.free()
}
const folder = fileURLToPath(new URL('results/', import.meta.url))
mkdirSync(folder, { recursive: true })
writeFileSync(
  `${folder}eager.json`,
  `${JSON.stringify({ processor, most_tries: MOST_TRIES, temperature: TEMPERATURE, results }, null, 2)}\n`,
)
const head = `# Tokens of constraints: checked while made, and by making whole texts until one holds

${PROMPTS.length} prompts a task, temperature ${TEMPERATURE}, at most ${MOST_TRIES} whole texts a prompt (a prompt that none of them holds for costs all of them). Seconds (${processor}) are of one run with others beside it.

| model | task | eager: tokens made | thrown away | refused without a call | held | rejection: tokens made | held | saved | seconds |
|---|---|---|---|---|---|---|---|---|---|
`
writeFileSync(`${folder}eager.md`, `${head}${rows.join('\n').trimEnd()}\n`)
