import { expect, it } from 'vitest'
import { type AdapterSource, modelInfo } from './model-source.ts'

it('names a model by its folder, and by repository and commit where the folder tells them', () => {
  const commit = '0123456789abcdef0123456789abcdef01234567'
  const source = { name: 'tiny', base: '/models/tiny', isGguf: false, adapters: [] }
  expect(modelInfo(source)).toEqual({ name: 'tiny' })
  const cached = { ...source, name: commit, base: `/cache/hub/models--org--small-1.5b/snapshots/${commit}` }
  expect(modelInfo(cached)).toEqual({ name: 'org/small-1.5b', revision: commit })
  // An adapter on it is another model.
  const adapters = [{ directory: '/runs/lora' } as AdapterSource]
  expect(modelInfo({ ...cached, name: 'lora', adapters })).toEqual({ name: 'lora' })
})
