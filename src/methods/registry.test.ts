import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { allEntries, METHODS } from './registry.ts'

const here = fileURLToPath(new URL('.', import.meta.url))
const src = join(here, '..')
const folders = readdirSync(here, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []))

describe('the registry', () => {
  it('has every folder once, under its own name', () => {
    expect(METHODS.map(({ slug }) => slug).sort()).toEqual(folders.sort())
    const slugs = allEntries().map(({ slug }) => slug)
    expect(new Set(slugs).size).toBe(slugs.length)
  })

  it.each(folders)('%s has its code, a card that bears its name, and tests', (slug) => {
    expect(existsSync(join(here, slug, `${slug}.ts`))).toBe(true)
    expect(readFileSync(join(here, slug, 'card.md'), 'utf8')).toContain(`\`${slug}\``)
    expect(readdirSync(join(here, slug)).some((name) => name.endsWith('.test.ts'))).toBe(true)
  })

  it('is where methods are known: below the run floor nothing imports one, and no command but its own does', () => {
    const mayKnow = (file: string, slug: string): boolean =>
      /^(?:run|demo|config)\//.test(file) ||
      file === `cli/${slug}.ts` ||
      file === 'methods/registry.ts' ||
      file.startsWith(`methods/${slug}/`) ||
      /(?:^|\/)index\.ts$/.test(file) ||
      /^(?:train|lora|dpo|prune|sleb|quantize)\.ts$/.test(file)
    const files = readdirSync(src, { recursive: true, encoding: 'utf8' })
      .map((path) => path.replaceAll('\\', '/'))
      .filter((path) => path.endsWith('.ts') && !path.endsWith('.test.ts'))
    const wrong = files.flatMap((file) =>
      [...readFileSync(join(src, file), 'utf8').matchAll(/from '\.[^']*methods\/([\w-]+)\/[^']+'/g)]
        .filter(([, slug]) => !mayKnow(file, slug!))
        .map(([, slug]) => `${file} knows ${slug}`),
    )
    expect(wrong).toEqual([])
  })
})
