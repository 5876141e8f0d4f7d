import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { coordinate, escapeHtml, escapeWords } from './html.ts'

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

describe('escapeWords', () => {
  const shown = (text: string): string => escapeWords(text).replaceAll('\u00a0', '_')

  it('keeps a number on the line of its unit', () => {
    expect(
      ['3 m 46 s', '2 h 05 m', '8 s', '12.5 % of it', '441 kB, 6 %', '1.97 M parameters', '0 ms'].map(shown),
    ).toEqual(['3_m_46_s', '2_h_05_m', '8_s', '12.5_% of it', '441_kB, 6_%', '1.97_M parameters', '0_ms'])
    expect(['3 men', '2 steps of 4 hours', 'layer 3 m1', '5 MBit'].map(shown)).toEqual([
      '3 men',
      '2 steps of 4 hours',
      'layer 3 m1',
      '5 MBit',
    ])
  })

  it('lets no line begin with a dot between parts, and escapes', () => {
    expect(shown('demo · <b> · 2026-11-26')).toBe('demo_· &lt;b&gt;_· 2026-11-26')
  })

  it('breaks paths behind a slash', () => {
    expect(shown('/runs/demo, 1 / 2')).toBe('/<wbr>runs/<wbr>demo, 1 / 2')
  })
})

describe('coordinate', () => {
  it('has one decimal at most and no minus zero', () => {
    expect([1, 1.25, -0.04, 0, 99.96, -3.14].map(coordinate)).toEqual(['1', '1.3', '0', '0', '100', '-3.1'])
  })
})
