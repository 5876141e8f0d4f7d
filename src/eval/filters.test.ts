// Chains that are wrong are told before a model is asked; what they make of answers is tested with whole tasks (prompts.test.ts).
import { expect, it } from 'vitest'
import { makeFilter } from './filters.ts'
import type { FilterConfig } from './task-config.ts'

const chain = (...filter: object[]): FilterConfig => ({ name: 'f', filter: filter as FilterConfig['filter'] })

it.each([
  [chain({ function: 'constructor' }), /expected for generate_until one of .*, got "constructor"/],
  [chain({}), /got ""/],
  [{ name: 'f' }, /expected entries with `name` and a list `filter`, got \{"name":"f"\}/],
  [null, /expected entries with/],
])('refuses %j', (config, message) => {
  expect(() => makeFilter(config as FilterConfig, 't', 'generate_until')).toThrow(message)
})

it('refuses to read likelihoods as texts, which would be a score of nothing', () => {
  expect(() => makeFilter(chain({ function: 'regex' }), 't', 'multiple_choice')).toThrow(
    'filter_list of task t: expected for multiple_choice one of take_first, take_first_k, majority_vote, got "regex"',
  )
  expect(makeFilter(chain({ function: 'take_first' }), 't', 'multiple_choice')([[-1, true]], {})).toEqual([-1, true])
})

it("takes away Python's white space", () => {
  const filter = makeFilter(chain({ function: 'remove_whitespace' }, { function: 'take_first' }), 't', 'generate_until')
  expect(filter(['\x1f \ufeffa\x85'], {})).toBe('\ufeffa')
})
