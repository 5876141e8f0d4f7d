// The paths that Markdown files name exist, and the README's tree has every room of src.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path/posix'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))
const FOLDERS = ['bench', 'docs', 'examples', 'experiments', 'native', 'recipes', 'scripts', 'src', 'test']
const paths = FOLDERS.flatMap((folder) => [
  folder,
  ...readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map(
    (path) => `${folder}/${path.replaceAll('\\', '/')}`,
  ),
])
const documents = [
  ...readdirSync(root).filter((name) => name.endsWith('.md')),
  ...paths.filter((path) => path.endsWith('.md') && !path.startsWith('test/fixtures/')),
]
const textOf = (document: string): string => readFileSync(join(root, document), 'utf8')

/** `src/methods/<slug>/*.ts` and `results/{a,b}` as an expression for whole paths. */
function patternOf(path: string): RegExp {
  const parts = path.replace(/\/$/, '').split(/(\*|<[\w-]+>|\{[\w,.-]+\})/)
  const source = parts.map((part) => {
    if (part === '*' || part.startsWith('<')) return '[^/]+'
    if (part.startsWith('{')) return `(?:${part.slice(1, -1).replaceAll('.', '\\.').replaceAll(',', '|')})`
    return part.replace(/[.+?^$()|[\]\\]/g, '\\$&')
  })
  return new RegExp(`^${source.join('')}$`)
}

/** Paths in backquotes that begin with one of our folders. */
function namedIn(text: string): string[] {
  return Array.from(text.matchAll(/`([\w-]+\/[\w.@/*<>{},-]*)`/g), ([, path]) => path!).filter((path) =>
    FOLDERS.includes(path.split('/')[0]!),
  )
}

/** Where links lead that stay in the repository. */
function linkedIn(text: string): string[] {
  return Array.from(text.matchAll(/\]\(([^)#\s]+)[^)]*\)/g), ([, target]) => target!).filter(
    (target) => !/^[a-z]+:/.test(target),
  )
}

describe('the Markdown files', () => {
  it('are found, and name paths', () => {
    expect(documents).toEqual(expect.arrayContaining(['README.md', 'docs/promises.md', 'src/methods/lora/card.md']))
    expect(documents.flatMap((document) => namedIn(textOf(document))).length).toBeGreaterThan(100)
  })
  it.each(documents)('%s names paths that exist', (document) => {
    const text = textOf(document)
    const missing = namedIn(text).filter((named) => {
      const pattern = patternOf(named)
      return !paths.some((path) => pattern.test(path))
    })
    expect(missing).toEqual([])
    expect(linkedIn(text).filter((target) => !existsSync(join(root, dirname(document), target)))).toEqual([])
  })
})

it('has every room of src in the tree of the README', () => {
  const tree = textOf('README.md').split('## The tree')[1]!.split('\n## ')[0]!
  const inTree = new Set(Array.from(tree.matchAll(/(?:^| )src\/([\w-]+)\//gm), ([, room]) => room))
  const rooms = readdirSync(join(root, 'src'), { withFileTypes: true }).filter((entry) => entry.isDirectory())
  expect([...inTree].sort()).toEqual(rooms.map(({ name }) => name).sort())
})
