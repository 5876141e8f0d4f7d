import { describe, expect, it } from 'vitest'
import { startProcessorTime } from '../../test/processor-time.ts'
import { readDeclarations, readDocComments } from './doc-comments.ts'

describe('readDocComments', () => {
  it('gives the prose of comments without stars, tags and link markup', () => {
    const source = `
      /**
       * Reads the whole file at {@link FileHandle.path | path} into memory and closes it
       * afterwards, whatever happens.
       *
       * \`\`\`js
       * const text = read()
       * close()
       * \`\`\`
       * @since v1.0.0
       * @param path where it is
       */
      export function read(): string
      /** Too short to say anything. */
      export const size: number
      // A line comment that is long enough, but it is no documentation at all.
    `
    expect(readDocComments(source)).toEqual([
      'Reads the whole file at FileHandle.path | path into memory and closes it afterwards, whatever happens.\n\n```js\nconst text = read()\nclose()\n```',
    ])
  })

  it('gives a repeated comment once', () => {
    const comment = '/** The same sentence stands above every overload, since editors want it there. */'
    expect(readDocComments(`${comment} a(): void ${comment} a(b: number): void`)).toHaveLength(1)
  })

  it('reads hostile comments in linear time', () => {
    const spent = startProcessorTime()
    expect(readDocComments('/**'.repeat(200_000))).toEqual([])
    expect(readDocComments(`/** ${'{@link '.repeat(100_000)} */`)).toHaveLength(1)
    expect(spent()).toBeLessThan(2000)
  })
})

describe('readDeclarations', () => {
  it('leaves the code, without comments of either kind and the lines they stood on', () => {
    const source = `/** Says. */\nexport interface A {\n  /** One\n   * two. */\n  b: string // why\n  // alone\n  c: 'https://d.e'\n}\n`
    expect(readDeclarations(source)).toBe("export interface A {\n  b: string // why\n  c: 'https://d.e'\n}")
    expect(readDeclarations('a /* never closed')).toBe('a /* never closed')
  })
})
