import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { LabelSets } from '../label-sets.ts'
import { type LabelledOptions, readLabelled, sortedLabels } from './labelled.ts'

const scratch = mkdtempSync(join(tmpdir(), 'labelled-'))
afterAll(() => rmSync(scratch, { recursive: true }))

/** One id a character; 1 and 2 stand around a text. */
const tokenizer = {
  encode: (text: string) => Int32Array.from(text, (char) => char.codePointAt(0)!),
  frame: { before: [1], after: [2] },
}
const read = (name: string, text: string, options: Partial<LabelledOptions> = {}) => {
  writeFileSync(join(scratch, name), text)
  return readLabelled(join(scratch, name), { tokenizer, maxLength: 8, ...options })
}
const rowsOf = ({ train }: Awaited<ReturnType<typeof readLabelled>>) =>
  Array.from({ length: train.length }, (_, i) => [
    String.fromCharCode(...train.get(i).ids.slice(1, -1)),
    train.labelOf(i),
  ])

describe('labelled rows', () => {
  it('are read from CSV, TSV and JSONL alike', async () => {
    const expected = [
      ['no', 0],
      ['yes', 1],
      ['oh', 0],
    ]
    expect(rowsOf(await read('a.csv', 'text,label\nno,con\nyes,pro\noh,con\n'))).toEqual(expected)
    expect(rowsOf(await read('a.tsv', 'label\ttext\ncon\tno\npro\tyes\ncon\toh\n'))).toEqual(expected)
    const lines = [
      { text: 'no', label: 0 },
      { text: 'yes', label: 10 },
      { text: 'oh', label: 0 },
    ]
    const data = await read('a.jsonl', lines.map((line) => JSON.stringify(line)).join('\n'))
    expect(rowsOf(data)).toEqual(expected)
    expect(data.report.labels).toEqual(['0', '10'])
    const { ids, labels } = data.train.get(1)
    expect([...ids]).toEqual([1, 121, 101, 115, 2])
    expect([...labels]).toEqual([1, -100, -100, -100, -100])
  })

  it('cuts texts at the window, within what stands around them, and says so', async () => {
    const data = await read('long.csv', 'text,label\nabcdefghij,x\nshort,y\n')
    expect([...data.train.get(0).ids]).toEqual([1, ...tokenizer.encode('abcdef'), 2])
    expect(data.report.notices).toEqual(['1 text of 2 is longer than 8 tokens and was cut there (the longest has 12)'])
  })

  it('says that a text has two labels, however they are written', async () => {
    const data = await read('two.csv', 'text,label\na,x\na,y\nb,y\na,x\nb,1\n', { labels: ['x', 'y'] })
    expect(data.train.length).toBe(5)
    expect(data.report.notices).toEqual([
      `1 row whose text has another label in an earlier row, and both are kept (the first: ${join(scratch, 'two.csv')}:3)`,
    ])
  })

  it('leaves out empty texts and columns nobody reads, and says so', async () => {
    const data = await read('empty.csv', 'text,label,id\n,x,1\n  ,y,2\na,x,3\nb,y,4\n')
    expect(rowsOf(data)).toEqual([
      ['a', 0],
      ['b', 1],
    ])
    expect(data.report.notices[0]).toMatch(/^2 rows with an empty text left out \(the first: .*empty\.csv:2\)$/)
    expect(data.report.notices[1]).toBe('columns that are not read: id')
  })

  it('holds the same texts out, whatever else there is', async () => {
    const lines = Array.from({ length: 100 }, (_, i) => `t${i},${i % 2}`)
    const { train, validation } = await read('split.csv', `text,label\n${lines.join('\n')}\n`, {
      validation: { fraction: 0.3 },
    })
    expect(train.length + validation.length).toBe(100)
    expect(validation.length).toBeGreaterThan(15)
    const again = await read('split2.csv', `text,label\n${lines.slice(50).join('\n')}\n`, {
      validation: { fraction: 0.3 },
    })
    const texts = (set: typeof train) => Array.from({ length: set.length }, (_, i) => String(set.get(i).ids))
    expect(texts(again.validation).every((text) => texts(validation).includes(text))).toBe(true)
  })

  it('sorts labels as people count', () => {
    expect(sortedLabels(['10', '9', '-1', '9'])).toEqual(['-1', '9', '10'])
    expect(sortedLabels(['b', 'a', '10'])).toEqual(['10', 'a', 'b'])
  })

  it('takes the labels of a classifier by name, or by id', async () => {
    const options = { labels: ['negative', 'positive'] }
    expect(rowsOf(await read('ids.csv', 'text,label\na,1\nb,0\nc,positive\n', options))).toEqual([
      ['a', 1],
      ['b', 0],
      ['c', 1],
    ])
  })

  it('may have several labels, between separators or in lists', async () => {
    const sets = new LabelSets()
    const several = { sets, separator: ',' }
    const labelsOf = ({ train }: Awaited<ReturnType<typeof readLabelled>>) =>
      Array.from({ length: train.length }, (_, i) => sets.of(train.labelOf(i)))
    const data = await read('several.tsv', 'text\tlabel\na\tES-ES, ES-AR\nb\tES-AR\nc\tES-AR,ES-ES\n', { several })
    expect(data.report.labels).toEqual(['ES-AR', 'ES-ES'])
    expect(labelsOf(data)).toEqual([[0, 1], [0], [0, 1]])
    const lines = [
      { text: 'a', label: ['x', 'y'] },
      { text: 'b', label: 'y' },
    ]
    const lists = await read('lists.jsonl', lines.map((line) => JSON.stringify(line)).join('\n'), { several })
    expect(labelsOf(lists)).toEqual([[0, 1], [1]])
  })

  it('says that a label reads like several where texts have one', async () => {
    const data = await read('joined.tsv', 'text\tlabel\na\tx\nb\ty\nc\tx,y\n')
    expect(data.report.labels).toEqual(['x', 'x,y', 'y'])
    expect(data.report.notices).toEqual([
      "label x,y reads like x and y, which are labels too: it is learnt as one more. Where a text may have several, set problem_type: multi_label_classification and label_separator: ','",
    ])
  })

  it.each([
    [
      'an empty list of labels',
      { text: 'a', label: [] },
      /bad\.jsonl:1, field 'label': expected one label or more, got an empty list\. Leave the row out, or label it/,
    ],
    ['an empty text of labels', { text: 'a', label: ' ' }, /expected one label or more, got an empty list/],
    [
      'an empty label among others',
      { text: 'a', label: 'x,,y' },
      /field 'label': expected labels with "," between them, got "x,,y", of which one is empty\. Correct the row/,
    ],
    ['a list of what are no labels', { text: 'a', label: [{}] }, /expected labels, got \[\{\}\]\. Correct the row/],
    [
      'another separator than was said',
      { text: 'a', label: 'x;y' },
      /bad\.jsonl:1, field 'label': expected labels with "," between them, got "x;y", which is x and y with ";" between them\. Set label_separator: ';'/,
    ],
  ])('says what is wrong with %s', async (_, row, message) => {
    const rows = [row, { text: 'b', label: 'x' }, { text: 'c', label: 'y' }]
    const several = { sets: new LabelSets(), separator: ',' }
    await expect(read('bad.jsonl', rows.map((each) => JSON.stringify(each)).join('\n'), { several })).rejects.toThrow(
      message,
    )
  })

  it.each([
    [
      'a column that is not there',
      'words,label\na,x\n',
      {},
      /bad\.csv:2: expected a column 'text', got words, label\. Name the right one with text_column/,
    ],
    [
      'a label column that is not there',
      'text\na\n',
      { labelColumn: 'tag' },
      /expected a column 'tag', got text\. Name the right one with label_column/,
    ],
    ['a row without a label', 'text,label\na,\n', {}, /bad\.csv:2, field 'label': expected a label, got an empty one/],
    [
      'a label that the classifier does not have',
      'text,label\na,c\n',
      { labels: ['a', 'b'] },
      /expected one of the 2 labels a, b, got "c"/,
    ],
    ['texts that are all empty', 'text,label\n,a\n', {}, /expected rows with a text, got 1 row whose text is empty/],
  ])('says what is wrong with %s', async (_, text, options, message) => {
    await expect(read('bad.csv', text, options)).rejects.toThrow(message)
  })
})
