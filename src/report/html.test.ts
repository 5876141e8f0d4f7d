import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { coordinate, escapeHtml } from './html.ts'

describe('escapeHtml', () => {
  it('leaves nothing that HTML reads as markup', () => {
    expect(escapeHtml(`<a href="x" on='y'>&amp;</a>`)).toBe(
      '&lt;a href=&quot;x&quot; on=&#39;y&#39;&gt;&amp;amp;&lt;/a&gt;',
    )
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(escapeHtml(text)).not.toMatch(/[<>"']|&(?!(?:amp|lt|gt|quot|#39);)/)
        expect(escapeHtml(text).isWellFormed()).toBe(true)
      }),
    )
  })

  it('shows control and direction-changing characters instead of obeying them', () => {
    expect(escapeHtml('a\u0000b\u001b[1mc\u202ed\ud800\te\n')).toBe('a\\u0000b\\u001b[1mc\\u202ed\\ud800\te\n')
    expect(escapeHtml('शब्द 😀 مرحبا')).toBe('शब्द 😀 مرحبا')
  })
})

describe('coordinate', () => {
  it('has one decimal at most and no minus zero', () => {
    expect([1, 1.25, -0.04, 0, 99.96, -3.14].map(coordinate)).toEqual(['1', '1.3', '0', '0', '100', '-3.1'])
  })
})
