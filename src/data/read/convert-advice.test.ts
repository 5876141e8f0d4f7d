import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { dataFolder, readAll } from '../../../test/data-folder.ts'
import { convertAdvice } from './convert-advice.ts'

const { directory, file } = dataFolder()
const LATIN = Buffer.from('Bl\xe5b\xe6rgr\xf8d og r\xf8dgr\xf8d.\n'.repeat(3), 'latin1')

/** What stands before the advice's last words. */
const commandOf = (advice: string): string => advice.replace(/ and read that file in its place$/, '')

describe('convertAdvice', () => {
  it.each([
    ['plain', 'it is mine.txt', LATIN, 'it is mine.utf8.txt'],
    ['packed', "it's mine.txt.gz", gzipSync(LATIN), "it's mine.utf8.txt"],
    ['packed under a plain name', 'rows.csv', gzipSync(LATIN), 'rows.utf8.csv'],
  ])('is a command that a shell can run on a file that is %s', (kind, name, bytes, result) => {
    const folder = join(directory, `${kind} of mine`)
    mkdirSync(folder)
    const path = file(join(`${kind} of mine`, name), bytes)
    execFileSync('sh', ['-c', commandOf(convertAdvice(path, 'WINDOWS-1252'))])
    expect(readFileSync(join(folder, result), 'utf8')).toBe('Blåbærgrød og rødgrød.\n'.repeat(3))
    expect(readFileSync(path).equals(bytes)).toBe(true)
  })

  it('keeps iconv away from a table, whose bytes are not all text', async () => {
    const path = join(directory, 'bad.parquet')
    copyFileSync(join(import.meta.dirname, '../../../test/fixtures/data/bad-text.parquet'), path)
    expect(convertAdvice(path, 'WINDOWS-1252')).toBe('Write the table anew with this text decoded from WINDOWS-1252')
    await expect(readAll(path, { maxBadFraction: 0 })).rejects.toThrow(/^(?!.*iconv).*bad\.parquet/)
  })

  it('is given with the place and no line where the whole file is in another encoding', async () => {
    const path = file('wide text.txt', Buffer.from('\uFEFFhej', 'utf16le'))
    await expect(readAll(path)).rejects.toThrow(
      `encoding in ${path}: expected UTF-8, got UTF-16. Convert it: iconv -f UTF-16 -t UTF-8 '${path}' > '${join(directory, 'wide text.utf8.txt')}'`,
    )
  })
})
