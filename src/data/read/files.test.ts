import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { dataFolder, readAll } from '../../../test/data-folder.ts'
import { InputError } from '../../errors.ts'
import { orRefused } from './files.ts'
import type { DocumentOptions } from './sources.ts'

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
    const notices: string[] = []
    const { texts } = await readAll(folder, { onNotice: (notice) => notices.push(notice) })
    expect(texts).toEqual(['outside', 'inner'])
    expect(notices).toEqual([
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

describe('a folder of many kinds', () => {
  const said = async (path: string, options: DocumentOptions = {}) => {
    const notices: string[] = []
    const { texts } = await readAll(path, { ...options, onNotice: (notice) => notices.push(notice) })
    return { texts, notices }
  }
  const folder = join(directory, 'many kinds')
  mkdirSync(join(folder, 'inner'), { recursive: true })
  const write = (name: string, text: string) => writeFileSync(join(folder, name), text)
  for (const name of ['A.TXT', 'b.md', 'f.text', 'c.html', 'd.docx', 'e.pdf', 'g.html', 'README']) write(name, name)
  write('inner/H.JSONL', '{"text": "h"}\n')
  write('z.txt', '')
  write('y.txt', ' \n')
  write('.hidden', '')

  it('is read whatever the case of its names, and says once what is left out and what is empty', async () => {
    const { texts, notices } = await said(folder)
    expect(texts).toEqual(['A.TXT', 'b.md', 'f.text', 'h'])
    expect(notices).toEqual([
      `${folder}: 5 files are left out, as their names do not end in a kind that is read (2 .html, 1 without an ending, 1 .docx, 1 .pdf): README, c.html, d.docx, …`,
      `2 files are empty: ${join(folder, 'y.txt')}, ${join(folder, 'z.txt')}`,
    ])
  })

  it('says also which kinds the caller did not ask for, and nothing where all is read', async () => {
    const { notices } = await said(folder, { extensions: ['.md'] })
    expect(notices).toEqual([expect.stringMatching(/10 files are left out/)])
    expect((await said(join(folder, 'inner'))).notices).toEqual([])
  })
})
