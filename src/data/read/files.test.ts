import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { dataFolder, readAll } from '../../../test/data-folder.ts'
import { InputError } from '../../errors.ts'
import { orRefused } from './files.ts'

const { directory } = dataFolder()

describe('links', () => {
  it('to files are read, to folders or to nothing are said', async () => {
    const folder = join(directory, 'links')
    mkdirSync(join(folder, 'inner'), { recursive: true })
    writeFileSync(join(folder, 'inner/a.txt'), 'inner')
    const outside = join(directory, 'linked')
    mkdirSync(outside)
    writeFileSync(join(outside, 'b.txt'), 'outside')
    symlinkSync(join(outside, 'b.txt'), join(folder, 'b.txt'))
    symlinkSync('nowhere.txt', join(folder, 'dangling.txt'))
    symlinkSync(outside, join(folder, 'elsewhere'))
    const { texts, report } = await readAll(folder)
    expect(texts).toEqual(['outside', 'inner'])
    expect(report.notices).toEqual([
      expect.stringMatching(/dangling\.txt is a link to nowhere\.txt, which is not there: left out$/),
      expect.stringMatching(/elsewhere is a link to a folder and is not followed: name it beside .*links to read it$/),
    ])
    await expect(readAll(join(folder, 'dangling.txt'))).rejects.toThrow(
      /got a link to nowhere\.txt, which is not there$/,
    )
  })

  it('and files that may not be read are an error that says so', () => {
    const refused = Object.assign(new Error('EACCES: permission denied'), { code: 'EACCES' })
    const open = () =>
      orRefused('data/secret.txt', () => {
        throw refused
      })
    expect(open).toThrow(/^path data\/secret\.txt: expected the right to read it, got EACCES\. Give it \(chmod/)
    expect(open).toThrow(InputError)
  })
})
