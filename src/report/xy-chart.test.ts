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
    // y ticks 0, 2, …, 10: the longest label has 2 letters, so left = 14 + 2·6.7 = 27.4; right = 746.
    // x: 0 → 27.4, 5 → (27.4+746)/2 = 386.7, 10 → 746. y: 0 → 254, 10 → 30, 5 → 142.
    expect(pathOf(renderXyChart(base))).toBe('M27.4 254L386.7 30L746 142')
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
    // Labels up to '100': left = 14 + 3·6.7 = 34.1; middle of 34.1 and 746 is 390.05, which rounds up; y from 254 to 30, middle 142.
    expect(pathOf(renderXyChart({ ...base, logX: true, logY: true, series }))).toBe('M34.1 254L390.1 142L746 30')
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

  it('marks where something happened, in words behind it where there is room', () => {
    const marks = [
      { x: 2.5, label: 'early <' },
      { x: 10, label: 'late' },
      { x: 11, label: 'off the plot' },
      { x: Number.NaN, label: 'nowhere' },
    ]
    const html = renderXyChart({ ...base, marks })
    // The plot is 27.4 … 746 wide and 30 … 254 high: 2.5 of 10 is at 207.05.
    expect([...html.matchAll(/<g class="mark">(.*?)<\/g>/g)].map(([, mark]) => mark)).toEqual([
      '<path d="M207.1 30V254"/><text class="start" x="214.1" y="44">early &lt;</text>',
      '<path d="M746 30V254"/><text class="end" x="739" y="61">late</text>',
    ])
    expect(html).toContain('At 2.5: early &lt;. At 10: late.')
  })

  it('keeps the last label of the x axis inside the picture', () => {
    const html = renderXyChart({
      ...base,
      series: [
        {
          name: 'a',
          points: [
            [0, 0],
            [2000, 10],
          ],
        },
      ],
    })
    // Five letters of 6.7 are 33.5 wide, half of which is more than the 14 that are left of 760.
    expect(html).toContain('<text class="tick middle" x="743.3" y="273">2,000<')
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

  it('gives a faint line the colour of the line after it', () => {
    const points = base.series[0]!.points
    const series = [
      { name: 'raw', points, style: 'faint' },
      { name: 'mean', points },
      { name: 'eval', points },
    ] as const
    const html = renderXyChart({ ...base, series })
    expect([...html.matchAll(/<g class="series (s\d \w+)"><path d="M\d+\./g)].map(([, name]) => name)).toEqual([
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
