// WordPiece and Unigram with all their options against the Rust tokenizers on random texts (scripts/goldens/encoder_tokenizers.py).
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { Tokenizer } from './tokenizer.ts'

interface Case {
  name: string
  base: string
  changes: Record<string, unknown>
  byte_fallback: boolean
  ids: number[][]
}
const root = new URL('../../test/fixtures/text/', import.meta.url)
const read = (name: string) => JSON.parse(readFileSync(new URL(name, root), 'utf8'))
const {
  texts,
  cases,
  vocabularies,
}: { texts: string[]; cases: Case[]; vocabularies: { config: object; ids: number[][] }[] } = read('encoder-fuzz.json')

function tokenizerOf({ base, changes, byte_fallback }: Case): Tokenizer {
  const { tokenizer } = read(`tokenizer-${base}.json`)
  for (const [path, value] of Object.entries(changes)) {
    const parents = path.split('.')
    const last = parents.pop()!
    const place = parents.reduce((object, key) => object[key], tokenizer)
    place[last] = value
  }
  if (byte_fallback) {
    const names = Array.from({ length: 256 }, (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`)
    tokenizer.model.vocab.push(...names.map((name) => [name, -20]))
    tokenizer.model.byte_fallback = true
  }
  return Tokenizer.fromJson(tokenizer)
}

describe.each(cases)('$name', (given) => {
  it('gives the ids of the Rust tokenizer', () => {
    const tokenizer = tokenizerOf(given)
    for (const [i, text] of texts.entries()) {
      const ids = tokenizer.encode(text, { addSpecialTokens: false, allowSpecial: true })
      expect([...ids], JSON.stringify(text)).toEqual(given.ids[i])
    }
  })
})

describe.each(vocabularies)('a vocab.txt with $config', ({ config, ids }) => {
  it('is the tokenizer that Transformers makes of it', async () => {
    const { vocab } = read('tokenizer-wordpiece.json').tokenizer.model
    const directory = mkdtempSync(join(tmpdir(), 'vocabulary-'))
    writeFileSync(
      join(directory, 'vocab.txt'),
      `${Object.keys(vocab)
        .sort((a, b) => vocab[a] - vocab[b])
        .join('\n')}\n`,
    )
    writeFileSync(join(directory, 'tokenizer_config.json'), JSON.stringify(config))
    const tokenizer = await Tokenizer.fromDirectory(directory)
    rmSync(directory, { recursive: true })
    for (const [i, text] of texts.entries())
      expect([...tokenizer.encode(text, { allowSpecial: true })], JSON.stringify(text)).toEqual(ids[i])
  })
})

it('says which token a vocab.txt lacks', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'vocabulary-'))
  writeFileSync(join(directory, 'vocab.txt'), '[PAD]\n[UNK]\nthe\n')
  await expect(Tokenizer.fromDirectory(directory)).rejects.toThrow(
    /vocab\.txt: expected \[CLS\] among its 3 tokens, got none/,
  )
  rmSync(directory, { recursive: true })
})
