import { describe, expect, it } from 'vitest'
import { keyGroups } from './key-groups.ts'
import { CONFIG_KEYS } from './schema.ts'
import { trainKind } from './train-kind.ts'

describe('the groups of keys', () => {
  const groups = keyGroups(trainKind)
  const summaryOf = (key: string) => groups.flatMap(({ keys }) => keys).find((each) => each.key === key)

  it('hold every key once, in the order of the schema', () => {
    expect(groups.flatMap(({ keys }) => keys.map(({ key }) => key))).toEqual(CONFIG_KEYS)
    expect(groups.map(({ title }) => title)).toHaveLength(11)
    expect(groups.every(({ keys }) => keys.length > 1)).toBe(true)
  })

  it('say in one sentence what each means, what goes there, and its default', () => {
    expect(summaryOf('max_length')).toEqual({
      key: 'max_length',
      value: 'N',
      summary: 'Tokens in a sequence (default 1024)',
    })
    expect(summaryOf('stage')).toMatchObject({
      value: 'pretrain|sft|dpo|classify|mlm',
      summary: expect.stringMatching(/\(required\)$/),
    })
    expect(summaryOf('lora_alpha')!.summary).toBe(
      'LoRA: the update is scaled by lora_alpha / lora_r (default 2 lora_r)',
    )
    for (const { keys } of groups) for (const { key, summary } of keys) expect(summary.length, key).toBeGreaterThan(10)
  })
})
