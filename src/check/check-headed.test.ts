// Directories of models that continue no text are checked as what they are.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { tinyEncoderDirectory } from '../../test/tiny-encoder.ts'
import { check } from './check.ts'

describe.each(['bert-classify', 'modernbert-mlm', 'llama-classify'])('a directory of %s', (name) => {
  const { directory, remove } = tinyEncoderDirectory(name)
  afterAll(remove)
  const change = (key: string, value: unknown): (() => void) => {
    const file = join(directory, 'config.json')
    const text = readFileSync(file, 'utf8')
    writeFileSync(file, JSON.stringify({ ...JSON.parse(text), [key]: value }))
    return () => writeFileSync(file, text)
  }
  const said = async (): Promise<string[]> =>
    (await check(directory))
      .filter(({ severity }) => severity !== 'notice')
      .map(({ where, message }) => `${where}: ${message}`)

  it('has no fault', async () => {
    expect((await said()).filter((line) => !line.includes('rope_parameters'))).toEqual([])
  })

  it('whose weights are of other sizes, or whose tokenizer has more ids, has some', async () => {
    const restore = change('vocab_size', 90)
    const found = await said()
    restore()
    expect(found.some((line) => /expected \[90,16\] as in config\.json, got \[96,16\]/.test(line))).toBe(true)
    expect(found.some((line) => line.includes('96 ids for 90 rows of the embedding'))).toBe(true)
  })
})
