import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type CurateOptions, curate, passagesOf } from './curate.ts'

const options: CurateOptions = { passageLength: 200, maxBytes: 1e6, heldOutShare: 0.2, mostHeldOutBytes: 1e6 }

async function* documents(texts: readonly string[]) {
  for (const text of texts) yield { text }
}

function prose(index: number): string {
  return `Passage number ${'abcdefghij'[index % 10]} of ${'klmnopqrst'[Math.floor(index / 10)]} says something about the sea.`
}

describe('passagesOf', () => {
  it('cuts at blank lines, then line ends, then spaces, then anywhere', () => {
    expect(passagesOf('aaaa bb\ncc\n\ndddd', 12)).toEqual(['aaaa bb\ncc', 'dddd'])
    expect(passagesOf('aaaa bb\nccccc', 10)).toEqual(['aaaa bb', 'ccccc'])
    expect(passagesOf('aaaa bbbb cc', 10)).toEqual(['aaaa bbbb', 'cc'])
    expect(passagesOf('aaaabbbbcccc', 5)).toEqual(['aaaab', 'bbbcc', 'cc'])
  })

  it('loses nothing but white space and never splits a character', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 300 }), fc.integer({ min: 2, max: 40 }), (text, length) => {
        const passages = passagesOf(text, length)
        expect(passages.join('').replaceAll(/\s/g, '')).toBe(text.replaceAll(/\s/g, ''))
        for (const passage of passages) {
          expect(passage.length).toBeLessThanOrEqual(length)
          expect(passage.isWellFormed()).toBe(true)
        }
      }),
    )
  })
})

describe('curate', () => {
  it('counts what it drops by reason', async () => {
    const table = '| 1 | 2 | 3 |\n'.repeat(10)
    const links = '[![badge](https://img.example.org/a.svg)](https://example.org/b) '.repeat(3)
    const {
      train,
      heldOut,
      dropped,
      documents: read,
    } = await curate(documents([prose(1), prose(2), prose(3), ` ${prose(1)}\n`, 'too short', table, links]), options)
    expect(dropped).toEqual({ short: 1, repeated: 1, wordless: 2 })
    expect([...train, ...heldOut].sort()).toEqual([prose(1), prose(2), prose(3)])
    expect(heldOut).toHaveLength(1)
    expect(read).toBe(7)
  })

  it('keeps text of any script', async () => {
    const texts = [
      'говорить о море '.repeat(5),
      '海について話しましょう、毎日の波の音'.repeat(3),
      'समुद्र के बारे में बात करें '.repeat(3),
    ]
    expect((await curate(documents(texts), options)).dropped).toEqual({ short: 0, repeated: 0, wordless: 0 })
  })

  it('holds out the share, at least one, whatever the order of the documents', async () => {
    const texts = Array.from({ length: 40 }, (_, index) => prose(index))
    const forth = await curate(documents(texts), options)
    const back = await curate(documents(texts.toReversed()), options)
    expect(forth.heldOut).toHaveLength(8)
    expect(forth.train).toHaveLength(32)
    expect(back.heldOut.toSorted()).toEqual(forth.heldOut.toSorted())
    expect(forth.trainBytes).toBe(forth.train.join('').length)
    const few = await curate(documents(texts), { ...options, mostHeldOutBytes: 1 })
    expect(few.heldOut).toHaveLength(1)
  })

  it('stops reading at the limit', async () => {
    let read = 0
    async function* endless() {
      for (; ; read++) yield { text: `${prose(read % 100)} ${'abcdefghij'[Math.floor(read / 100) % 10]}` }
    }
    const { isCut, trainBytes, heldOutBytes } = await curate(endless(), { ...options, maxBytes: 5000 })
    expect(isCut).toBe(true)
    expect(trainBytes + heldOutBytes).toBeLessThan(5100)
    expect(read).toBeLessThan(200)
  })
})
