// Who may import whom, read from the import lines of src. The house is a list of floors from the ground up: an arrow goes down only,
// types included; rooms of one floor do not know each other; inside a room nothing goes round in a circle.
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path/posix'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

/** From the ground up. Rooms on one line stand side by side. */
const FLOORS = [
  ['nearest.ts', 'printable.ts', 'rate-meter.ts', 'retry-after.ts', 'shell-word.ts', 'system-error.ts'],
  ['errors.ts', 'version.ts', 'work.ts'],
  ['option-names.ts'],
  ['files', 'report'],
  ['text', 'hub'],
  ['grammar'],
  ['data', 'lm'],
  ['eval', 'chat', 'retrieve'],
  ['serve', 'ai-sdk', 'prompting'],
  ['synth'],
  ['torch'],
  ['nn'],
  ['model'],
  ['checkpoint'],
  ['train', 'infer'],
  ['probe', 'gguf'],
  ['check'],
  ['methods'],
  ['config'],
  ['run'],
  ['demo'],
  ['cli'],
  ['index.ts'],
]
/** A tensor has methods that call operators, operators make tensors, and some take a generator, whose state is a tensor. */
const TENSOR_CIRCLE = ['torch/ops.gen.ts', 'torch/random.ts', 'torch/tensor.ts']

const root = fileURLToPath(new URL('../src', import.meta.url))
const paths = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .map((path) => path.replaceAll('\\', '/'))
  .filter((path) => path.endsWith('.ts') && !path.endsWith('.test.ts'))
const texts = new Map(paths.map((path) => [path, readFileSync(join(root, path), 'utf8')]))

/** What each file imports: `static` at its top, types included; `loaded` without what vanishes when compiled; `lazy` by `import()`. */
function importsOf(pattern: RegExp): Map<string, string[]> {
  return new Map(
    paths.map((path) => [
      path,
      [...texts.get(path)!.matchAll(pattern)].map(([, ...found]) => join(dirname(path), found.find(Boolean)!)),
    ]),
  )
}
const named = importsOf(/^(?:import|export)\s+[^'"`;]*?from\s+'(\.[^']+)'|^import\s+'(\.[^']+)'/gm)
const loaded = importsOf(/^(?:import|export)\s+(?!type\b)[^'"`;]*?from\s+'(\.[^']+)'|^import\s+'(\.[^']+)'/gm)
const lazy = importsOf(/\bimport\('(\.[^']+)'\)/g)

function roomOf(path: string): { floor: number; room: string } | undefined {
  for (const [floor, rooms] of FLOORS.entries())
    for (const room of rooms) if (path === room || path.startsWith(`${room}/`)) return { floor, room }
  return undefined
}

/** Everything that loading `path` loads. */
function reach(path: string, seen: Set<string> = new Set()): Set<string> {
  for (const next of [...loaded.get(path)!, ...lazy.get(path)!]) if (!seen.has(next)) reach(next, seen.add(next))
  return seen
}

/** `file → what it imports`, wherever `isWrong`. */
function arrows(isWrong: (from: string, to: string) => boolean): string[] {
  return paths.flatMap((from) =>
    [...named.get(from)!, ...lazy.get(from)!].filter((to) => isWrong(from, to)).map((to) => `${from} → ${to}`),
  )
}

/** Groups of files that import each other at their tops (Tarjan's strongly connected components). */
function circles(): string[][] {
  const order = new Map<string, number>()
  const low = new Map<string, number>()
  const stack: string[] = []
  const found: string[][] = []
  const visit = (path: string): void => {
    order.set(path, order.size)
    low.set(path, order.get(path)!)
    stack.push(path)
    for (const next of named.get(path)!) {
      if (!order.has(next)) visit(next)
      if (stack.includes(next)) low.set(path, Math.min(low.get(path)!, low.get(next)!))
    }
    if (low.get(path) !== order.get(path)) return
    const group = stack.splice(stack.indexOf(path))
    if (group.length > 1) found.push(group.sort())
  }
  for (const path of paths) if (!order.has(path)) visit(path)
  return found
}

const methodOf = (path: string): string | undefined => /^methods\/([^/]+)\//.exec(path)?.[1]

describe('imports', () => {
  it('point at files that exist', () => {
    expect(paths.length).toBeGreaterThan(50)
    expect(arrows((_, to) => !texts.has(to))).toEqual([])
  })
  it('go down: every file stands on a floor and knows only lower ones, types included', () => {
    expect(paths.filter((path) => roomOf(path) === undefined)).toEqual([])
    const isUp = (from: string, to: string): boolean => {
      const [here, there] = [roomOf(from)!, roomOf(to)!]
      return there.floor > here.floor || (there.floor === here.floor && there.room !== here.room)
    }
    expect(arrows(isUp)).toEqual([])
  })
  it('make no circle', () => {
    expect(circles()).toEqual([TENSOR_CIRCLE])
  })
  it('touch native code in torch/ only', () => {
    expect(arrows((from, to) => to === 'torch/native.ts' && !from.startsWith('torch/'))).toEqual([])
    expect(
      paths.filter((path) => !path.startsWith('torch/') && /\.node\b['"`]|process\.dlopen/.test(texts.get(path)!)),
    ).toEqual([])
  })
  it('leave the text side free of tensors', () => {
    const textSide = paths.filter((path) =>
      /^(files|text|hub|grammar|lm|eval|chat|retrieve|serve|ai-sdk|prompting|synth|data|report)\/|^infer\/sample\.ts$/.test(
        path,
      ),
    )
    expect(textSide.flatMap((path) => [...reach(path)].filter((to) => /^(torch|nn)\//.test(to)))).toEqual([])
  })
  it('hash contents in files/hash.ts alone, from the models up', () => {
    const torchFloor = FLOORS.findIndex((rooms) => rooms.includes('torch'))
    const high = paths.filter((path) => roomOf(path)!.floor > torchFloor)
    expect(high.filter((path) => texts.get(path)!.includes('createHash('))).toEqual([])
  })
  it('leave the command line to the tests of src/cli', () => {
    const tests = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.test.ts'))
    const below = tests.filter((path) => !path.startsWith('cli'))
    expect(below.length).toBeGreaterThan(100)
    const isOfCli = /from '(?:\.\.\/)+(?:cli\/|test\/run-command\.ts)/
    expect(below.filter((path) => isOfCli.test(readFileSync(join(root, path), 'utf8')))).toEqual([])
  })
  it('keep methods apart', () => {
    const isOther = (from: string, to: string): boolean =>
      methodOf(from) !== undefined && methodOf(to) !== undefined && methodOf(from) !== methodOf(to)
    expect(arrows(isOther)).toEqual([])
  })
})
