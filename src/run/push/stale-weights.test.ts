import { expect, it } from 'vitest'
import { staleWeights } from './stale-weights.ts'

const shards = (of: number, stem = 'model', ending = 'safetensors'): string[] =>
  Array.from({ length: of }, (_, i) => `${stem}-0000${i + 1}-of-0000${of}.${ending}`)
const index = 'model.safetensors.index.json'

it('are those of the same model under other names, and no others', () => {
  const others = ['adapter_model.safetensors', 'sub/model.safetensors', 'config.json', 'a.gguf']
  expect(staleWeights(['model.safetensors'], [...others, ...shards(2), index])).toEqual([...shards(2), index])
  expect(staleWeights([...shards(2), index], [...others, 'model.safetensors', index])).toEqual(['model.safetensors'])
  expect(staleWeights([...shards(2), index], [...shards(3), ...shards(2), index])).toEqual(shards(3))
  expect(staleWeights(['a.gguf'], [...shards(2, 'a', 'gguf'), ...shards(2, 'b', 'gguf')])).toEqual(
    shards(2, 'a', 'gguf'),
  )
  expect(staleWeights(['model.safetensors'], ['model.safetensors', 'README.md'])).toEqual([])
  expect(staleWeights(['model.safetensors', ...shards(2), index], shards(3))).toEqual([])
})
