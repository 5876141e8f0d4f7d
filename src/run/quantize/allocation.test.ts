import { expect, it } from 'vitest'
import { UsageError } from '../../errors.ts'
import { allocationNamed } from './allocation.ts'
import { ALLOCATION_NAMES, type AllocationName } from './allocation-names.ts'

it('knows every name that can be chosen, and says which there are for any other', () => {
  for (const name of ALLOCATION_NAMES) {
    const found = allocationNamed(name)
    expect(typeof found === 'string' ? found : found.name).toBe(name)
  }
  expect(() => allocationNamed('none' as AllocationName)).toThrow(
    new UsageError("allocate: expected uniform or sensitivity or fisher or bo or mi, got 'none'"),
  )
})
