import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { ContentHash, hashFile, hashOf } from './hash.ts'

it('names a file as sha256sum does', () => {
  const directory = mkdtempSync(join(tmpdir(), 'anneal-hash-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  writeFileSync(join(directory, 'a'), 'abc')
  // FIPS 180-4, "abc".
  expect(hashFile(join(directory, 'a'))).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad')
})

it('tells parts apart, and the same numbers by their bytes', async () => {
  // Python: hashlib.sha256(b"2:ab1:c").hexdigest()
  expect(hashOf('ab', 'c')).toBe('430fb1b4ac43316eca81fab27a1930ab8eff8fef6a1dc7903dce44bbc2790dc5')
  expect(hashOf('ab', 'c')).not.toBe(hashOf('a', 'bc'))
  expect(hashOf(Int32Array.of(0, 7).subarray(1))).toBe(hashOf(Uint8Array.of(7, 0, 0, 0)))
  const directory = mkdtempSync(join(tmpdir(), 'anneal-hash-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  writeFileSync(join(directory, 'a'), 'abc')
  writeFileSync(join(directory, 'b'), 'abc')
  const named = async (name: string) => (await new ContentHash().addFile(join(directory, name))).digest()
  expect(await named('a')).toBe(await named('b'))
})
