// The public names of each entry of the package. A change here is a change of the interface: decide it, then `vitest -u`.
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const entries = ['index.ts', 'torch/index.ts', 'text/index.ts']
const urlOf = (entry: string): URL => new URL(`../src/${entry}`, import.meta.url)

describe.each(entries.filter((entry) => existsSync(fileURLToPath(urlOf(entry)))))('src/%s', (entry) => {
  it('exports these names', async () => {
    const names = Object.keys((await import(urlOf(entry).href)) as object)
    expect(names.sort()).toMatchSnapshot()
  })
})
