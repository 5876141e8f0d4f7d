import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { type Report, type ReportBlock, renderReport } from './report.ts'

const PAYLOADS = [
  '<script>alert(1)</script>',
  '"><img src=x onerror=alert(1)>',
  "' onmouseover='alert(1)",
  '</style><script>alert(1)</script>',
  '</title></svg><svg onload=alert(1)>',
  '<!--',
  ']]>',
  'javascript:alert(1)',
  '{{constructor.constructor("alert(1)")()}}',
  '\u0000<\u0000script>',
  '&lt;script&gt;',
]

/** A report with `text` in every place that takes text. */
function reportOf(text: string): Report {
  const chart = {
    title: text,
    x: text,
    y: text,
    note: text,
    series: [
      {
        name: text,
        points: [
          [1, 2],
          [2, 3],
        ] as const,
        labels: [text, text],
      },
    ],
  }
  const two = {
    ...chart,
    series: [
      {
        name: text,
        points: [
          [1, 2],
          [2, 3],
        ] as const,
      },
      { name: text, points: [[1, 2]] as const },
    ],
  }
  const blocks: ReportBlock[] = [
    { kind: 'prose', text },
    { kind: 'key-figures', figures: [{ label: text, value: text, detail: text }] },
    { kind: 'line-chart', ...two, marks: [{ x: 1.5, label: text }] },
    { kind: 'scatter', ...chart },
    { kind: 'bar-chart', title: text, unit: text, note: text, bars: [{ label: text, value: 1, detail: text }] },
    { kind: 'table', caption: text, columns: [text], rows: [[text], [null]] },
    { kind: 'samples', samples: [{ label: text, prompt: text, text }] },
    { kind: 'commands', lines: [text] },
    { kind: 'folded', title: text, text },
  ]
  return {
    title: text,
    subtitle: text,
    about: [text, text],
    footer: text,
    sections: [{ title: text, lead: text, blocks }],
  }
}

/** Names of all tags and attributes, which a harmless text does not change. */
function structure(html: string): string {
  return [...html.matchAll(/<\/?([a-z!][a-z0-9-]*)((?:\s+[a-z-]+="[^"]*")*)\s*>/gi)]
    .map(([, tag, attributes]) => [tag, ...[...attributes!.matchAll(/([a-z-]+)="/g)].map(([, name]) => name)].join(' '))
    .join('\n')
}

describe('renderReport', () => {
  it.each(PAYLOADS)('shows %j as text', (payload) => {
    const html = renderReport(reportOf(payload))
    const harmless = renderReport(reportOf(payload.replaceAll(/[^\s/]/g, 'x')))
    expect(structure(html)).toBe(structure(harmless))
    expect(html.match(/</g)!.length).toBe(harmless.match(/</g)!.length)
    expect(html).not.toMatch(/<script|<img|\son[a-z]+="|href="(?!data:)/i)
  })

  it('allows nothing but its own style sheet', () => {
    const html = renderReport(reportOf('x'))
    const style = /<style>(.*)<\/style>/s.exec(html)![1]!
    const hash = createHash('sha256').update(style).digest('base64')
    expect(html).toContain(`content="default-src 'none'; style-src 'sha256-${hash}'; img-src data:;`)
    // A style attribute would be refused by that policy, and a URL would be a request.
    expect(html).not.toMatch(/\sstyle=|url\(|@import|https?:/)
    expect(style).not.toContain('<')
  })

  it('is well formed: every element that opens closes', () => {
    const html = renderReport(reportOf('text & more'))
    const open: string[] = []
    const empty = new Set(['meta', 'link', 'wbr', '!doctype'])
    for (const [, slash, tag, selfClosing] of html.matchAll(/<(\/?)([a-z!][a-z0-9]*)(?:"[^"]*"|[^>"])*?(\/?)>/gi)) {
      if (empty.has(tag!.toLowerCase()) || selfClosing) continue
      if (slash) expect(open.pop()).toBe(tag)
      else open.push(tag!)
    }
    expect(open).toEqual([])
  })

  it('gives the same bytes for the same input', () => {
    expect(renderReport(reportOf('x'))).toBe(renderReport(reportOf('x')))
  })

  it('aligns columns of numbers and leaves empty cells empty', () => {
    const table = {
      kind: 'table',
      columns: ['name', 'ms'],
      rows: [
        ['a', 1234.6],
        ['b', null],
      ],
    } as const
    const html = renderReport({ title: 't', sections: [{ title: 's', blocks: [table] }] })
    expect(html).toContain(
      '<tr><td>a</td><td class="number">1,235</td></tr><tr><td>b</td><td class="number"></td></tr>',
    )
  })

  it('aligns figures with units like numbers, but not the names of rows, and leaves out a row of empty names', () => {
    const figures = {
      kind: 'table',
      columns: ['step', 'weights', 'kept'],
      rows: [
        [1, '5.26 MB → 4.07 MB', 'block 2'],
        [2, '-22.5 %', 'a longer text'],
        [3, '< 0.001', '–'],
      ],
    } as const
    const unnamed = { kind: 'table', columns: ['', ''], rows: [['a', 'b']] } as const
    const html = renderReport({ title: 't', sections: [{ title: 's', blocks: [figures, unnamed] }] })
    expect(html).toContain(
      '<tr><td>1</td><td class="number">5.26\u00a0MB → 4.07\u00a0MB</td><td>block\u00a02</td></tr>',
    )
    expect(html).toContain('<td class="number">-22.5\u00a0%</td><td>a longer text</td>')
    expect(html).toContain('<table><tbody><tr><td>a</td><td>b</td></tr></tbody></table>')
  })

  it('leaves no key figure alone in a row below rows of three and more', () => {
    const classes = [1, 2, 3, 4, 5, 6, 7, 10, 11].map((count) => {
      const figures = Array.from({ length: count }, () => ({ label: 'a', value: '1' }))
      const html = renderReport({ title: 't', sections: [{ title: 's', blocks: [{ kind: 'key-figures', figures }] }] })
      return /class="figures wide(\d) mid(\d)"/.exec(html)!.slice(1).map(Number)
    })
    // In rows of at most five: 6 = 3 + 3, 7 = 4 + 3, 11 = 4 + 4 + 3; of three: 4 = 2 + 2, 7 and 10 in rows of two.
    expect(classes).toEqual([
      [1, 1],
      [2, 2],
      [3, 3],
      [4, 2],
      [5, 3],
      [3, 3],
      [4, 2],
      [5, 2],
      [4, 3],
    ])
  })

  it('keeps the words of a command whole, and each command on a line of its own', () => {
    const html = renderReport({
      title: 't',
      sections: [{ title: 's', blocks: [{ kind: 'commands', lines: ['a --model x', 'b'] }] }],
    })
    expect(html).toContain(
      '<code><span>a</span> <span>--model</span> <span>x</span></code><code><span>b</span></code></pre>',
    )
  })

  it('tells pages of a kind apart in the window and in small print, not in the heading', () => {
    const html = renderReport({ title: 'Pruning', about: ['runs/a', '2026-11-26'], sections: [] })
    expect(html).toContain('<title>Pruning · runs/a · 2026-11-26</title>')
    expect(html).toContain('<h1>Pruning</h1><p class="about">runs/<wbr>a\u00a0· 2026-11-26</p>')
  })

  it('draws bars in proportion from zero', () => {
    const bars = [
      { label: 'ours', value: 50, isOurs: true },
      { label: 'other', value: 100 },
      { label: 'none', value: Number.NaN },
      { label: 'nothing', value: 0 },
    ]
    const html = renderReport({
      title: 't',
      sections: [{ title: 's', blocks: [{ kind: 'bar-chart', title: 'b', unit: 'ms', bars }] }],
    })
    expect([...html.matchAll(/class="bar (\w+)" x="0%" width="([\d.]+%)"/g)].map(([, ...bar]) => bar)).toEqual([
      ['s1', '50%'],
      ['other', '100%'],
    ])
  })

  it('shows code in a fixed font: between backticks, and samples of it', () => {
    const blocks: ReportBlock[] = [
      { kind: 'prose', text: 'Say `a < b`.' },
      { kind: 'samples', samples: [{ label: 'x', text: 'let a', isCode: true }] },
    ]
    const html = renderReport({ title: 't', sections: [{ title: 's', lead: '`--seed 1`', blocks }] })
    expect(html).toContain('<p>Say <code>a &lt; b</code>.</p>')
    expect(html).toContain('<p class="lead"><code>--seed 1</code></p>')
    expect(html).toContain('<blockquote class="code" dir="ltr">let a</blockquote>')
  })

  it('splits prose at empty lines', () => {
    const html = renderReport({
      title: 't',
      sections: [{ title: 's', blocks: [{ kind: 'prose', text: 'one\n\n  two\nthree\n\n' }] }],
    })
    expect(html).toContain('<p>one</p><p>two\nthree</p>')
  })
})
