// A map from files to files: the table and the page, Dataset Cartography's own files, subsets, and queues there and back.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { writeDynamicsEpoch, writeDynamicsRows } from '../../data/datamap/dynamics-files.ts'
import { resultOf } from '../../work.ts'
import { writeQueue } from './annotation-queue.ts'
import { applyDecisions, selectVersion } from './new-version.ts'
import { runDatamap } from './run-datamap.ts'

const root = mkdtempSync(join(tmpdir(), 'datamap-'))
const at = (...names: string[]): string => join(root, ...names)
const linesOf = (file: string): Record<string, unknown>[] =>
  readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
const labels = ['left', 'right']
/** Ten rows; number 3 has the wrong label, number 7 none that is sure. */
const rows = Array.from({ length: 10 }, (_, i) => ({
  id: `row ${i}`,
  file: at('data.jsonl'),
  line: i + 1,
  text: i === 5 ? 'an </script><script>alert(1)</script> end & "more"' : `text ${i}`,
  label: labels[i % 2]!,
  gold: i % 2,
}))

beforeAll(() => {
  writeFileSync(
    at('data.jsonl'),
    rows.map(({ text, label }, i) => `${JSON.stringify({ text, label, source: `page ${i}` })}\n`).join(''),
  )
  const header = {
    when: 'crossfit',
    labels,
    epochs: 0,
    rows: 10,
    dataset: [at('data.jsonl')],
    textColumn: 'text',
    labelColumn: 'label',
  } as const
  const folder = at('run', 'training_dynamics')
  writeDynamicsRows(folder, header, rows)
  for (let epoch = 0; epoch < 3; epoch++) {
    const logits = Float32Array.from(
      rows.flatMap(({ gold }, i) => {
        const size = i === 7 ? 0.01 : i === 3 ? 9 : 3 + epoch + i / 10
        const own = i === 3 ? 1 - gold : gold
        return [own === 0 ? size : 0, own === 1 ? size : 0]
      }),
    )
    writeDynamicsEpoch(folder, header, epoch, rows, logits)
  }
})
afterAll(() => rmSync(root, { recursive: true }))

describe('a map', () => {
  it('tells what is likely wrong from what is likely common, in a table and on a page', async () => {
    const result = await resultOf(runDatamap({ runs: [at('run')], flagFraction: 0.1 }))
    expect(result).toMatchObject({
      examples: 10,
      epochs: 3,
      when: 'crossfit',
      flags: { error: 1, common: 1 },
      confident_errors: 1,
    })
    const lines = linesOf(at('run', 'datamap', 'datamap.jsonl'))
    expect(lines.map(({ flag }) => flag)).toEqual([null, null, null, 'error', null, null, null, 'common', null, null])
    expect(lines[3]).toMatchObject({
      guid: 'row 3',
      label: 'right',
      predicted: 'left',
      correctness: 0,
      forgetfulness: 1000,
      borda: 1,
    })
    expect(lines[3]!.loss).toBeCloseTo(Math.log(1 + Math.exp(9)), 5)
  })
  it('has its texts as data, which cannot end it or run, and allows its own program alone', () => {
    const page = readFileSync(at('run', 'datamap', 'datamap.html'), 'utf8')
    expect(page).not.toContain('<script>alert')
    expect(page.match(/<script/g)).toHaveLength(2)
    expect(page).toMatch(/default-src 'none'; style-src 'sha256-[^']+'; script-src 'sha256-[^']+'/)
    expect(page).not.toMatch(/(?:src|href)="(?!data:)/)
    const data = JSON.parse(/<script type="application\/json" id="points">(.*?)<\/script>/s.exec(page)![1]!)
    expect(data.texts[5]).toBe(rows[5]!.text)
    const y = new Float32Array(Uint8Array.from(Buffer.from(data.tracks.gold.y, 'base64')).buffer)
    expect(y[7]).toBeCloseTo(1 / (1 + Math.exp(-0.01)), 5)
  })
  it("reads Dataset Cartography's own files, which know no names of labels", async () => {
    mkdirSync(at('theirs'))
    for (const epoch of [0, 1])
      writeFileSync(
        at('theirs', `dynamics_epoch_${epoch}.jsonl`),
        `${JSON.stringify({ guid: 75119, [`logits_epoch_${epoch}`]: [2.5, -0.5, 1], gold: 0 })}\n${JSON.stringify({ guid: 2, [`logits_epoch_${epoch}`]: [0, 1, 0], gold: 2 })}\n`,
      )
    const result = await resultOf(runDatamap({ runs: [at('theirs')], out: at('map') }))
    expect(result).toMatchObject({ examples: 2, epochs: 2, when: null })
    expect(linesOf(at('map', 'datamap.jsonl'))[0]).toMatchObject({ guid: '75119', label: '0', correctness: 2 })
    // The second has numbers that a 32-bit float has not.
    for (const logits of [
      [1, null],
      [1e39, 0],
    ]) {
      const bad = `${JSON.stringify({ guid: 2, logits_epoch_0: logits, gold: 0 })}\n`
      writeFileSync(at('theirs', 'dynamics_epoch_0.jsonl'), bad)
      await expect(resultOf(runDatamap({ runs: [at('theirs')] }))).rejects.toThrow(
        /dynamics_epoch_0.jsonl:1: expected guid/,
      )
    }
    await expect(resultOf(runDatamap({ runs: [at('nowhere')] }))).rejects.toThrow(
      /expected the folder of a run, got nothing/,
    )
  })
})

describe('a new version of the data', () => {
  it('is a subset with all columns, and says where it is from', async () => {
    const by = { metric: 'borda', fraction: 0.2 } as const
    const version = await selectVersion({ runs: [at('run')], by, isInverted: true, out: at('clean.jsonl') })
    expect(version).toEqual({ out: at('clean.jsonl'), rows: 8, before: 10, relabelled: 0, dropped: 2, unmapped: 0 })
    const kept = linesOf(at('clean.jsonl'))
    expect(kept.map(({ source }) => source)).toEqual([0, 1, 2, 4, 5, 6, 8, 9].map((i) => `page ${i}`))
    expect(JSON.parse(readFileSync(at('clean.jsonl.provenance.json'), 'utf8'))).toMatchObject({
      rows: 8,
      select: { metric: 'borda', inverted: true },
      dataset: [at('data.jsonl')],
    })
    writeFileSync(at('ids.jsonl'), '{"guid": "row 9"}\n{"guid": "row 2"}\n')
    await selectVersion({ runs: [at('run')], by: { ids: at('ids.jsonl') }, out: at('two.jsonl') })
    expect(linesOf(at('two.jsonl')).map(({ source }) => source)).toEqual(['page 2', 'page 9'])
    writeFileSync(at('ids.jsonl'), '{"guid": "row 10"}\n')
    const wrong = selectVersion({ runs: [at('run')], by: { ids: at('ids.jsonl') }, out: at('two.jsonl') })
    await expect(wrong).rejects.toThrow(/ids.jsonl:1, field 'guid': expected an example of the map, got "row 10"/)
  })
  it('has what people decided of a queue', async () => {
    expect(await writeQueue({ runs: [at('run')], out: at('queue.jsonl'), top: 3 })).toBe(3)
    const queue = linesOf(at('queue.jsonl'))
    expect(queue[0]).toMatchObject({
      guid: 'row 3',
      label: 'right',
      suggested: 'left',
      new_label: null,
      drop: false,
      checked: false,
    })
    const decided = [{ ...queue[0], new_label: 'left' }, { ...queue[1], drop: true }, queue[2]]
    writeFileSync(at('queue.jsonl'), decided.map((line) => `${JSON.stringify(line)}\n`).join(''))
    const version = await applyDecisions({ runs: [at('run')], decisions: [at('queue.jsonl')], out: at('new.jsonl') })
    expect(version).toMatchObject({ rows: 9, relabelled: 1, dropped: 1, checked: 2, open: 1 })
    const rows = linesOf(at('new.jsonl'))
    expect(rows.find(({ source }) => source === 'page 3')).toEqual({ text: 'text 3', label: 'left', source: 'page 3' })
    expect(rows.some(({ source }) => source === `page ${String(queue[1]!.guid).slice(4)}`)).toBe(false)
    writeFileSync(at('bad.jsonl'), `${JSON.stringify({ guid: 'row 1', new_label: 'left', drop: true })}\n`)
    const wrong = applyDecisions({ runs: [at('run')], decisions: [at('bad.jsonl')], out: at('new.jsonl') })
    await expect(wrong).rejects.toThrow(/bad.jsonl:1: expected either drop or new_label, got both/)
  })
  it('keeps rows that no map has, as those that were held out, and a subset does not', async () => {
    const text = readFileSync(at('data.jsonl'), 'utf8')
    writeFileSync(at('data.jsonl'), `${text}{"text":"held out","label":"left","source":"page 10"}\n`)
    writeFileSync(at('one.jsonl'), '{"guid":"row 2","drop":true}\n')
    const notices: string[] = []
    const onNotice = (message: string): void => void notices.push(message)
    const all = { runs: [at('run')], out: at('new.jsonl'), onNotice }
    const version = await applyDecisions({ ...all, decisions: [at('one.jsonl')] })
    expect(version).toMatchObject({ rows: 10, before: 11, dropped: 1, unmapped: 1 })
    expect(linesOf(at('new.jsonl')).map(({ source }) => source)).toEqual(
      [0, 1, 3, 4, 5, 6, 7, 8, 9, 10].map((i) => `page ${i}`),
    )
    expect(notices).toEqual([expect.stringMatching(/^1 row of the data is in no map .*: kept as they are$/)])
    const by = { ids: at('one.jsonl') }
    expect(await selectVersion({ ...all, by })).toMatchObject({ rows: 1, before: 10, unmapped: 0 })
    expect(notices[1]).toMatch(/1 row .* left out$/)
    expect(await selectVersion({ ...all, by, isInverted: true })).toMatchObject({ rows: 10, before: 11, unmapped: 1 })
    writeFileSync(at('data.jsonl'), text)
  })
  it('says that it has texts and labels alone where the data is gone, and refuses data that was cut', async () => {
    const notices: string[] = []
    const by = { metric: 'borda', fraction: 1 } as const
    const all = {
      runs: [at('run')],
      by,
      out: at('all.jsonl'),
      onNotice: (message: string) => void notices.push(message),
    }
    const text = readFileSync(at('data.jsonl'), 'utf8')
    writeFileSync(at('data.jsonl'), text.split('\n').slice(0, 9).join('\n'))
    await expect(selectVersion(all)).rejects.toThrow(
      /data.jsonl:10: expected the text that the run learnt from, got nothing/,
    )
    rmSync(at('data.jsonl'))
    expect((await selectVersion(all)).rows).toBe(10)
    expect(linesOf(at('all.jsonl'))[3]).toEqual({ guid: 'row 3', text: 'text 3', label: 'right' })
    expect(notices).toEqual([expect.stringMatching(/the data is not there \(.*data.jsonl\)/)])
    writeFileSync(at('data.jsonl'), text)
  })
  it('never takes the place of what it is made of, or of what people decided', async () => {
    writeFileSync(at('mine.jsonl'), '{"guid":"row 2","checked":true}\n')
    const runs = [at('run')]
    const onto = /out: expected a file of its own, got .*, which is read/
    await expect(applyDecisions({ runs, decisions: [at('mine.jsonl')], out: at('mine.jsonl') })).rejects.toThrow(onto)
    await expect(applyDecisions({ runs, decisions: [at('mine.jsonl')], out: at('data.jsonl') })).rejects.toThrow(onto)
    await expect(selectVersion({ runs, by: { ids: at('mine.jsonl') }, out: at('mine.jsonl') })).rejects.toThrow(onto)
    await expect(writeQueue({ runs, out: at('data.jsonl') })).rejects.toThrow(onto)
    await expect(writeQueue({ runs, out: at('mine.csv') })).rejects.toThrow(
      /^out: expected a file that ends in .jsonl, got/,
    )
    await expect(writeQueue({ runs, out: at('mine.jsonl') })).rejects.toThrow(/a queue in which 1 example is decided/)
    expect(readFileSync(at('mine.jsonl'), 'utf8')).toBe('{"guid":"row 2","checked":true}\n')
    expect(await writeQueue({ runs, out: at('open.jsonl'), top: 2 })).toBe(2)
    expect(await writeQueue({ runs, out: at('open.jsonl'), top: 3 })).toBe(3)
  })
  it('is refused where the data is another one by now', async () => {
    const text = readFileSync(at('data.jsonl'), 'utf8')
    writeFileSync(at('data.jsonl'), text.replace('text 4', 'text four'))
    const version = selectVersion({ runs: [at('run')], by: { metric: 'borda', fraction: 0.5 }, out: at('half.jsonl') })
    await expect(version).rejects.toThrow(/data.jsonl:5: expected the text that the run learnt from/)
    writeFileSync(at('data.jsonl'), text)
  })
})

describe('what people decided', () => {
  const decide = async (name: string, text: string): Promise<[unknown, string[]]> => {
    writeFileSync(at(name), text)
    const notices: string[] = []
    const onNotice = (message: string): void => void notices.push(message)
    const version = await applyDecisions({
      runs: [at('run')],
      decisions: [at(name)],
      out: at('decided.jsonl'),
      onNotice,
    })
    return [version, notices]
  }
  it('may come from a table, with empty cells and words for true and false', async () => {
    const [version] = await decide(
      'table.csv',
      'guid,new_label,drop,checked\nrow 3, left ,FALSE,\nrow 2,,TRUE,\nrow 4,,,true\nrow 5,,,\n',
    )
    expect(version).toMatchObject({ rows: 9, relabelled: 1, dropped: 1, checked: 3, open: 1 })
    expect(linesOf(at('decided.jsonl'))[2]).toMatchObject({ source: 'page 3', label: 'left' })
    await expect(decide('yes.csv', 'guid,drop\nrow 2,perhaps\n')).rejects.toThrow(
      /yes.csv:2, field 'drop': expected true or false, got "perhaps"/,
    )
  })
  it('makes no new label by a slip, and none without a word', async () => {
    await expect(decide('slip.jsonl', '{"guid":"row 3","new_label":"Left"}\n')).rejects.toThrow(
      /slip.jsonl:1, field 'new_label': expected left, got 'Left'/,
    )
    const [version, notices] = await decide('new.jsonl', '{"guid":"row 3","new_label":"lef"}\n')
    expect(version).toMatchObject({ relabelled: 1 })
    expect(notices).toEqual([
      "new_label 'lef', of 1 example, is a label that no example has: it becomes one. Did you mean 'left'?",
    ])
  })
})

describe('folds', () => {
  it('that are not there are said by their names', async () => {
    const header = {
      when: 'crossfit',
      labels,
      epochs: 0,
      rows: 2,
      dataset: [],
      textColumn: 'text',
      labelColumn: 'label',
    } as const
    for (const fold of [0, 2]) {
      const own = { ...header, folds: 4, fold }
      const folder = at('folds', `fold-${fold}`, 'training_dynamics')
      const two = rows.slice(2 * fold, 2 * fold + 2)
      writeDynamicsRows(folder, own, two)
      writeDynamicsEpoch(folder, own, 0, two, Float32Array.of(1, 0, 0, 1))
    }
    const notices: string[] = []
    const queue = {
      runs: [at('folds')],
      out: at('folds.jsonl'),
      onNotice: (message: string) => void notices.push(message),
    }
    expect(await writeQueue(queue)).toBe(4)
    expect(notices).toEqual([expect.stringMatching(/^2 of 4 folds are not there \(fold-1, fold-3\)/)])
    mkdirSync(at('folds', 'fold-1'))
    await expect(writeQueue(queue)).rejects.toThrow(/in each of 3 folds, got none in fold-1\./)
  })
})
