import { expect, it } from 'vitest'
import { cardParts, metadataBlock, metadataFields } from './metadata-block.ts'

it('is what stands between two rules at the very beginning', () => {
  expect(metadataBlock('---\na: 1\n---\n# B\n---\nc: 2\n---\n')).toBe('a: 1\n')
  expect(metadataBlock('\uFEFF---\r\na: 1\r\n---\r\n# B')).toBe('a: 1\r\n')
  expect(metadataBlock('---\n---\n# B\n')).toBe('')
  expect(metadataBlock('---\na: |\n  ---\n---')).toBe('a: |\n  ---\n')
  expect(metadataBlock('# B\n---\na: 1\n---\n')).toBeUndefined()
  expect(metadataBlock('---\na: 1\n--- b\n')).toBeUndefined()
  expect(metadataBlock('----\na: 1\n----\n')).toBeUndefined()
  const card = '---\r\na: 1\r\n---\r\n# B\r\n'
  const { head, block, rest } = cardParts(card)!
  expect(head + block + rest).toBe(card)
})
it('says nothing where it is prose', () => {
  expect(metadataFields('Some words.\n')).toBeUndefined()
  expect(metadataFields('- a\n')).toBeUndefined()
  expect(metadataFields('# only a comment\n')).toEqual({})
})
