import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { hashWeights } from './hash-weights.ts'

const fixture = (path: string): string => fileURLToPath(new URL(`../../../test/fixtures/${path}`, import.meta.url))
const sha256 = (data: string | Buffer): string => createHash('sha256').update(data).digest('hex')

describe('hashWeights', () => {
  it("is the file's sha256, and for shards that of theirs", () => {
    const single = readFileSync(`${fixture('models/llama')}/model.safetensors`)
    expect(hashWeights(fixture('models/llama'))).toBe(sha256(single))
    const directory = fixture('safetensors/sharded')
    const shards = readdirSync(directory).filter((name) => name.endsWith('.safetensors'))
    expect(shards.length).toBeGreaterThan(1)
    const hashes = shards.sort().map((name) => sha256(readFileSync(`${directory}/${name}`)))
    expect(hashWeights(directory)).toBe(sha256(hashes.join('\n')))
  })
})
