import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'

const read = (file: string): string => readFileSync(new URL(`../${file}`, import.meta.url), 'utf8')

describe('the package', () => {
  it('has the folders that its README and the help of commands send to', () => {
    const { files } = JSON.parse(read('package.json')) as { files: string[] }
    const named = new Set(read('README.md').match(/\b(docs|examples|recipes)\/(?=[\w-]+\.\w)/g))
    expect(named).toEqual(new Set(['docs/', 'examples/', 'recipes/']))
    for (const folder of named) expect(files).toContain(folder.slice(0, -1))
  })
})
