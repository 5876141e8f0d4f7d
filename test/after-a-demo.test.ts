// README's commands and program, and every recipe, as they stand, on what a demo left: a real one, with two steps of training.
import { execFile } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { main } from '../src/cli/main.ts'
import { runDemo } from '../src/demo/demo.ts'
import { resultOf } from '../src/work.ts'
import { textSink } from './run-command.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const readme = readFileSync(join(root, 'README.md'), 'utf8')
/** Need a model, and files or a GPU, that are not here. */
const ELSEWHERE = [
  'qpruner-7b-cuda.yaml',
  'masked-pretraining.yaml',
  'classify.yaml',
  'data-map.yaml',
  'variety-identification.yaml',
]
const recipes = readdirSync(join(root, 'recipes')).filter((name) => name.endsWith('.yaml') && !ELSEWHERE.includes(name))
/** README runs these. */
const isRunAbove = (name: string): boolean =>
  readme.includes(`    npx anneal train recipes/${name} `) || name === 'qpruner.yaml'
/** Of README's commands; the chat waits for somebody to say something. */
const commands = [...readme.matchAll(/^ {4}npx anneal ((?!chat)[^#\n]+)/gm)].map(([, line]) => line!.trim())

const before = process.cwd()
let folder: string
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'anneal-after-'))
  for (const name of ['README.md', 'docs', 'examples', 'recipes', 'node_modules'])
    symlinkSync(join(root, name), join(folder, name))
  process.chdir(folder)
  const text = [
    join(root, 'README.md'),
    join(root, 'ARCHITECTURE.md'),
    join(root, 'docs'),
    join(root, 'src', 'methods'),
  ]
  await resultOf(runDemo({ text, textKey: 'text', out: 'runs/demo', minutes: 1, steps: 2, seed: 1 }))
  for (const part of ['train', 'apart/train', 'apart/held-out']) shorten(join('runs/demo/data', part))
}, 300_000)
afterAll(() => {
  process.chdir(before)
  rmSync(folder, { recursive: true, force: true })
})

/** A hundred short texts at most: all of them would be read and evaluated again and again, and few long ones leave none to hold out. */
function shorten(directory: string): void {
  for (const name of readdirSync(directory)) {
    const lines = readFileSync(join(directory, name), 'utf8').trimEnd().split('\n')
    const texts = lines.flatMap((line): string[] => JSON.parse(line).text.match(/[\s\S]{1,400}/g) ?? [])
    writeFileSync(
      join(directory, name),
      texts
        .slice(0, 100)
        .map((text) => `${JSON.stringify({ text })}\n`)
        .join(''),
    )
  }
}

/** One command line with less work than it stands for; its output where it fails. */
async function anneal(line: string, ...more: string[]): Promise<void> {
  const words = [...line.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(([, twice, once, word]) => twice ?? once ?? word!)
  const [stdout, stderr] = [textSink(), textSink()]
  expect(await main([...words, ...more], { stdout, stderr }), stderr.text).toBe(0)
}

/** Two steps are as good as all of them for this. */
function fewSteps(recipe: string): string[] {
  const file = /[\w-]+\.yaml/.exec(recipe)?.[0]
  const hasSplit = file !== undefined && readFileSync(join(root, 'recipes', file), 'utf8').includes('val_split')
  return [...FEW_STEPS, ...(hasSplit ? ['--val_split', '0.1'] : [])]
}
const FEW_STEPS = ['--max_steps', '2', '--gradient_accumulation_steps', '1', '--max_length', '128']
const FEW_WINDOWS = ['--samples', '4']

describe('what README says to type', () => {
  it('is something', () => expect(commands.length).toBeGreaterThan(14))
  it.each(commands)('anneal %s', { timeout: 300_000 }, async (line) => {
    const [name] = line.split(' ')
    if (name === 'train') await anneal(line, ...fewSteps(line))
    else if (name === 'quantize') await anneal(line, ...FEW_WINDOWS, '--evaluations', '2', '--length', '32')
    else if (name === 'prune' || name === 'sleb') await anneal(line, ...FEW_WINDOWS)
    else if (name === 'qpruner') await anneal(line, ...fewStages())
    else await anneal(line)
  })
  it('and its program', { timeout: 300_000 }, async () => {
    const [, program] = /```ts\n([\s\S]*?)```/.exec(readme)!
    writeFileSync('program.mts', program!)
    const paths = { anneal: [join(root, 'src', 'index.ts')] }
    writeFileSync('tsconfig.json', JSON.stringify({ compilerOptions: { paths } }))
    const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', 'program.mts'])
    expect(stdout.trimEnd().split('\n')).toHaveLength(20)
  })
})

describe('recipes', () => {
  it('are all explained', () => {
    const text = readFileSync(join(root, 'recipes', 'README.md'), 'utf8')
    for (const name of [...recipes, ...ELSEWHERE]) expect(text).toContain(`(${name})`)
  })
  it.each(recipes.filter((name) => !isRunAbove(name)))('%s', { timeout: 300_000 }, async (name) => {
    if (name === 'demo.yaml') return anneal(`train recipes/${name} --output_dir runs/longer`, ...fewSteps(''))
    // What comes before it, as its own first lines say.
    const prepared = /^# +anneal (prune .*)$/m.exec(readFileSync(join(root, 'recipes', name), 'utf8'))?.[1]
    if (prepared !== undefined) await anneal(prepared.replace('runs/pruned', `runs/pruned-for-${name}`), ...FEW_WINDOWS)
    const model = prepared === undefined ? [] : ['--model_name_or_path', `runs/pruned-for-${name}`]
    await anneal(`train recipes/${name} --output_dir runs/recipe-${name}`, ...model, ...fewSteps(name))
  })
})

/** Little of each, and a folder of its own each time. */
function fewStages(): string[] {
  const words = '--calibration.samples 4 --calibration.max_length 64 --quantize.evaluations 1'.split(' ')
  const recovery = '--recover.max_steps 2 --recover.loftq_iterations 1 --recover.max_length 64'.split(' ')
  return [...words, ...recovery, '--output_dir', mkdtempSync(join(folder, 'qpruner-'))]
}
