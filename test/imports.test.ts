// Who may import whom, read from the import lines of src: tensors below, methods above, and a text side that runs without LibTorch.
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path/posix'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('../src', import.meta.url))
const paths = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .map((path) => path.replaceAll('\\', '/'))
  .filter((path) => path.endsWith('.ts') && !path.endsWith('.test.ts'))
const texts = new Map(paths.map((path) => [path, readFileSync(join(root, path), 'utf8')]))

/** `export … from` counts, and `import()`; `import type` vanishes when compiled and is free to look up. */
const IMPORT =
  /^(?:import|export)\s+(?!type\b)[^'"`;]*?from\s+'(\.[^']+)'|^import\s+'(\.[^']+)'|\bimport\('(\.[^']+)'\)/gm
const imports = new Map(
  paths.map((path) => [
    path,
    [...texts.get(path)!.matchAll(IMPORT)].map(([, ...found]) => join(dirname(path), found.find(Boolean)!)),
  ]),
)

/** Everything that loading `path` loads. */
function reach(path: string, seen: Set<string> = new Set()): Set<string> {
  for (const next of imports.get(path) ?? []) if (!seen.has(next)) reach(next, seen.add(next))
  return seen
}

/** `file → what it imports`, for files in `from` and targets that match `forbidden`. */
function violations(from: RegExp, forbidden: (target: string, file: string) => boolean, isDeep = false): string[] {
  return paths
    .filter((path) => from.test(path))
    .flatMap((path) =>
      [...(isDeep ? reach(path) : imports.get(path)!)]
        .filter((target) => forbidden(target, path))
        .map((target) => `${path} → ${target}`),
    )
}

const methodOf = (path: string): string | undefined => /^methods\/([^/]+)\//.exec(path)?.[1]

describe('imports', () => {
  it('point at files that exist', () => {
    expect(paths.length).toBeGreaterThan(50)
    expect(violations(/./, (target) => !texts.has(target))).toEqual([])
  })
  it('touch native code in torch/ only', () => {
    expect(violations(/^(?!torch\/)/, (target) => target === 'torch/native.ts')).toEqual([])
    expect(
      paths.filter((path) => !path.startsWith('torch/') && /\.node\b['"`]|process\.dlopen/.test(texts.get(path)!)),
    ).toEqual([])
  })
  it('leave the text side free of tensors', () => {
    const textSide = /^(text|eval|serve|data|report)\/|^infer\/(lm|sample|fake-lm)\.ts$/
    expect(violations(textSide, (target) => /^(torch|nn)\//.test(target), true)).toEqual([])
  })
  it('point down: tensors, layers, model, training, methods, command line', () => {
    expect(violations(/^torch\//, (target) => !/^(torch\/|files\/|errors\.ts$)/.test(target))).toEqual([])
    expect(violations(/^nn\//, (target) => !/^(nn|torch)\/|^errors\.ts$/.test(target))).toEqual([])
    expect(
      violations(/^model\//, (target) => /^(methods|train|probe|checkpoint|infer|cli|serve|eval)\//.test(target)),
    ).toEqual([])
    expect(
      violations(/^(train|checkpoint|probe|infer|gguf|check)\//, (target) =>
        /^(methods|cli|serve|eval)\//.test(target),
      ),
    ).toEqual([])
    expect(violations(/^(?!cli\/|run\/|config\/|demo\/)/, (target) => target.startsWith('cli/'))).toEqual([])
  })
  it('keep methods apart', () => {
    expect(
      violations(/^methods\//, (target, file) => methodOf(target) !== undefined && methodOf(target) !== methodOf(file)),
    ).toEqual([])
  })
  it('do not go through the public entry from inside', () => {
    expect(violations(/./, (target) => target === 'index.ts')).toEqual([])
  })
})
