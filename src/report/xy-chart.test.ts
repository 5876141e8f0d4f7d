import { describe, expect, it } from 'vitest'
import { linePath, renderXyChart, type XyChart } from './xy-chart.ts'

const base: XyChart = {
  title: 'Loss',
  x: 'step',
  y: 'loss',
  series: [
    {
      name: 'train',
      points: [
        [0, 0],
        [5, 10],
        [10, 5],
      ],
    },
  ],
}

const pathOf = (html: string) => /<g class="series s1 line"><path d="([^"]*)"/.exec(html)?.[1]

describe('renderXyChart', () => {
  it('draws points where they belong', () => {
    // The width is stretched from 1000; y ticks 0, 2, …, 10: 0 is at the axis, 236 pixels from the top, 10 at 8, so 5 at 122.
    expect(pathOf(renderXyChart(base))).toBe('M0 236L500 8L1000 122')
  })

  it('puts a decade in the middle of two on a logarithmic axis', () => {
    const series = [
      {
        name: 'a',
        points: [
          [1, 1],
          [10, 10],
          [100, 100],
        ] as const,
      },
    ]
    expect(pathOf(renderXyChart({ ...base, logX: true, logY: true, series }))).toBe('M0 236L500 122L1000 8')
  })

  it('is as wide as its page: all that lies along the width is in per cent', () => {
    const html = renderXyChart({ ...base, marks: [{ x: 5, label: 'half' }] })
    expect(html).not.toMatch(/<svg class="plot"[^>]*(?:viewBox|width)/)
    for (const [, x] of html.matchAll(/<(?:circle|line|rect)[^>]* c?x1?="([^"]*)"/g))
      expect(x).toMatch(/^-?[\d.]+%?$|^0$/)
    expect(html).toContain('<line class="axis" x1="40%" x2="40%"')
    expect(html).toMatch(/<circle class="s1" cx="50%" cy="8"/)
  })

  it('leaves out every second tick on a telephone, and counts in whole steps', () => {
    const points = [1, 2, 3, 4, 5].map((step) => [step, step] as const)
    const html = renderXyChart({ ...base, series: [{ name: 'a', points }] })
    const ticks = [...html.matchAll(/<text class="tick ((?:middle|end)[^"]*)" x="[\d.]+%" y="255">([^<]*)</g)]
    expect(ticks.map(([, kind, label]) => [label, kind!.includes('fine')])).toEqual([
      ['1', false],
      ['2', true],
      ['3', false],
      ['4', true],
      ['5', false],
    ])
  })

  it('shows shares in per cent, on the axis and under the pointer', () => {
    const points = [
      [0, 0.25],
      [1, 0.5],
    ] as const
    const html = renderXyChart({ ...base, isShare: true, series: [{ name: 'right', points }] })
    expect(html).toContain('>50 %<')
    expect(html).toContain('>right  50 %<')
    expect(html).toContain('right from 25 % at 0 to 50 % at 1')
  })

  it('writes the names of points beside them, unless one would stand on another', () => {
    const one = (name: string, x: number, y: number) => ({ name, style: 'dots', points: [[x, y]] }) as const
    const html = renderXyChart({ ...base, series: [one('dense', 1, 1), one('pruned', 9, 5), one('twin', 9, 5)] })
    const names = [...html.matchAll(/<text class="name [^>]*>([^<]*)</g)].map(([, name]) => name)
    expect(names).toEqual(['dense', 'pruned'])
    expect(html).not.toContain('class="legend"')
  })

  it('writes a name where it hides fewer points', () => {
    const dots = (points: readonly (readonly [number, number])[], names: string[]) => {
      const series = [{ name: 'a', style: 'dots', points, names }] as const
      const [, y] = /<text class="name [^>]* y="([^"]*)"/.exec(renderXyChart({ ...base, series }))!
      return Number(y)
    }
    // Ticks 0 … 12 over 228 pixels: 5 is at 141, and 5.6 eleven pixels above it, where the name would be.
    const ends = [
      [0, 0],
      [10, 10],
    ] as const
    expect(dots([...ends, [5, 5]], ['', '', 'low'])).toBe(132)
    expect(dots([...ends, [5, 5], [5, 5.6]], ['', '', 'low', ''])).toBe(159)
  })

  it('writes no name over another, above, below and at the edges', () => {
    const points = Array.from({ length: 60 }, (_, i) => [(i * 37) % 60, (i * 17) % 23] as const)
    const series = [{ name: 'a', style: 'dots', points, names: points.map((_, i) => `block ${i}`) }] as const
    const drawn = [
      ...renderXyChart({ ...base, series }).matchAll(
        /<text class="name (start|middle|end)[^"]*" x="([\d.]+)%" y="([\d.]+)">([^<]*)</g,
      ),
    ].map(([, side, x, y, text]) => {
      const width = text!.length * 6.7
      const left = 6.4 * Number(x) - { start: 0, middle: width / 2, end: width }[side as 'start']
      return { left, right: left + width, y: Number(y) }
    })
    expect(drawn.length).toBeGreaterThan(20)
    for (const [index, one] of drawn.entries()) {
      for (const other of drawn.slice(index + 1)) {
        const isApart = one.right <= other.left + 1e-3 || other.right <= one.left + 1e-3
        expect(isApart || Math.abs(one.y - other.y) >= 12.9).toBe(true)
      }
    }
  })

  it('leaves gaps at values that are not finite, and drops what a logarithm cannot show', () => {
    expect(
      linePath([
        [0, 0],
        [1, Number.NaN],
        [2, 0],
        [3, 1],
      ]),
    ).toBe('M0 0M2 0L3 1')
    const points = [
      [0, 5],
      [1, 1],
      [10, 0],
      [100, 10],
    ] as const
    const html = renderXyChart({ ...base, logX: true, logY: true, series: [{ name: 'a', points }] })
    expect(html).not.toMatch(/NaN|Infinity/)
  })

  it('survives no series, no points and only bad points', () => {
    for (const points of [[], [[Number.NaN, 1]], [[1, Number.POSITIVE_INFINITY]], [[3, 3]]] as [number, number][][]) {
      for (const style of ['line', 'faint', 'marked', 'dots'] as const) {
        expect(renderXyChart({ ...base, series: [{ name: 'a', points, style }] })).not.toMatch(/NaN|Infinity|undefined/)
      }
    }
    expect(renderXyChart({ ...base, series: [] })).toContain('<svg')
  })

  it('is a picture with a name and a description for those who hear it', () => {
    const html = renderXyChart(base)
    expect(html).toContain('role="img" aria-label="Loss: loss by step. train from 0 at 0 to 5 at 10."')
    expect(html).toContain('<title>Loss</title>')
  })

  it('marks where something happened, in words on the side with more room', () => {
    const marks = [
      { x: 2.5, label: 'early <' },
      { x: 10, label: 'late' },
      { x: 5, label: 'too long for one half of a telephone' },
      { x: 11, label: 'off the plot' },
      { x: Number.NaN, label: 'nowhere' },
    ]
    const html = renderXyChart({ ...base, marks })
    expect(html.match(/<g class="mark">/g)).toHaveLength(3)
    expect(html).toContain(
      '<line x1="25%" x2="25%" y1="8" y2="236"/><text class="start" x="25%" dx="7" y="22">early &lt;</text>',
    )
    expect(html).toContain('<text class="end" x="100%" dx="-7" y="39">late</text>')
    expect(html).toContain('<g class="coarse"><text class="end" x="100%" dx="0" y="56">too long')
    expect(html).toContain('At 2.5: early &lt;. At 10: late.')
  })

  it('keeps the last label of the x axis inside the picture', () => {
    // Two letters reach 7 pixels beyond the end, where 10 are free; five reach 17.
    expect(renderXyChart(base)).toContain('<text class="tick middle" x="100%" y="255">10<')
    const long = [
      [0, 0],
      [1000, 1],
    ] as const
    expect(renderXyChart({ ...base, series: [{ name: 'a', points: long }] })).toContain(
      '<text class="tick end" x="100%" y="255">1,000<',
    )
  })

  it('draws zero where values lie on both sides of it, and shows it where it is asked for', () => {
    const line = (from: number, to: number, more = {}): string => {
      const points = [
        [0, from],
        [1, to],
      ] as const
      return renderXyChart({ ...base, series: [{ name: 'a', points }], ...more })
    }
    // Ticks -1 … 3: zero is a quarter of 228 pixels above the axis at 236.
    expect(line(-1, 3)).toContain('<line class="zero" x1="0" x2="100%" y1="179" y2="179"/>')
    expect(line(1, 3)).not.toContain('class="zero"')
    expect(pathOf(line(5, 10, { fromZero: true }))).toBe('M0 122L1000 8')
  })

  it('has one label per column, with the last known value of every line', () => {
    const train = Array.from({ length: 1000 }, (_, step) => [step, step] as const)
    const evaluation = [
      [0, 1],
      [500, 2],
    ] as const
    const html = renderXyChart({
      ...base,
      series: [
        { name: 'train', points: train },
        { name: 'eval', points: evaluation },
      ],
    })
    const hits = html.split('<g class="hit">').slice(1)
    expect(hits.length).toBe(90)
    expect(hits.at(-1)).toContain('>step 999<')
    expect(hits.at(-1)).toContain('>eval  2<')
    expect(hits[10]).toContain('>eval  1<')
  })

  it('shortens long names under the pointer, so that the box fits on a telephone', () => {
    const name = 'minimal_pairs_subject_verb_agreement: acc'
    const html = renderXyChart({ ...base, series: [{ ...base.series[0]!, name }] })
    const texts = [...html.matchAll(/<text[^>]*>([^<]* {2}[^<]*)<\/text>/g)].map(([, text]) => text!)
    // 32 letters less those of the value: 15 of the beginning, 15 of the end, for a value of one letter.
    expect(texts).toContain('minimal_pairs_s…_agreement: acc  5')
    for (const [, width] of html.matchAll(/<rect x="-?[\d.]+" y="\d+" width="([\d.]+)"/g))
      expect(Number(width)).toBeLessThan(260)
  })

  it('gives a faint line the colour of the line after it', () => {
    const points = base.series[0]!.points
    const series = [
      { name: 'raw', points, style: 'faint' },
      { name: 'mean', points },
      { name: 'eval', points },
    ] as const
    const html = renderXyChart({ ...base, series })
    expect([...html.matchAll(/<g class="series (s\d \w+)"><path d="M0 236/g)].map(([, name]) => name)).toEqual([
      's1 faint',
      's1 line',
      's2 line',
    ])
  })

  it('labels the points of a scatter plot', () => {
    const series = [
      {
        name: 'plans',
        style: 'dots',
        points: [
          [1, 2],
          [3, 4],
        ],
        labels: ['4 bits', '<b>'],
      },
    ] as const
    const html = renderXyChart({ ...base, series })
    expect(html).toContain('>4 bits<')
    expect(html).toContain('>&lt;b&gt;<')
  })

  it('stays small for long runs', () => {
    const points = Array.from({ length: 200_000 }, (_, step) => [step, Math.sin(step)] as const)
    expect(renderXyChart({ ...base, series: [{ name: 'a', points }] }).length).toBeLessThan(100_000)
  })
})
