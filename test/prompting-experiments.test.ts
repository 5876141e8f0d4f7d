// What experiments/prompting says was measured: what can be repeated here is, and the tables are those of the results.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { DEVELOPED, readAttacks } from '../experiments/prompting/attacks.ts'
import { falseAlarms, measureLayers } from '../experiments/prompting/injection.ts'
import { measureNeedles, reader } from '../experiments/prompting/needle.ts'
import { smuggled, withControls } from '../experiments/prompting/structural.ts'
import { countValid, SCHEMAS } from '../experiments/prompting/valid-json.ts'
import { localModel } from '../src/prompting/index.ts'
import { loadLm } from '../src/run/load-lm.ts'
import { writeTextModel } from './text-model.ts'
import { TINY_CHAT_TEMPLATE } from './tiny-model.ts'

const attacks = readAttacks()
const committed = (name: string) =>
  JSON.parse(readFileSync(new URL(`../experiments/prompting/results/${name}.json`, import.meta.url), 'utf8'))
const folder = mkdtempSync(join(tmpdir(), 'prompting-experiments-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('injection', () => {
  it('has fifty attacks of twelve families', () => {
    expect([attacks.length, new Set(attacks.map(({ family }) => family)).size]).toEqual([50, 12])
    expect(new Set(attacks.map(({ id }) => id)).size).toBe(50)
    expect(attacks.filter(({ family }) => DEVELOPED.has(family)).length).toBe(30)
  })
  it('is blocked layer by layer as the results say', async () => {
    const layers = await measureLayers(attacks)
    expect(layers).toEqual(committed('injection').layers)
    const blocked = (name: string): number[] =>
      layers.flatMap(({ layer, reader, developed, heldOut }) =>
        layer === name && reader === 'obeys all' ? [developed.hits, heldOut.hits] : [],
      )
    expect(blocked('none')).toEqual([0, 0])
    expect(blocked('guards')[0]).toBe(30)
  })
  it('smuggles no control token into the ids', () => {
    const json = JSON.parse(readFileSync(new URL('fixtures/text/tokenizer-gpt2.json', import.meta.url), 'utf8'))
    const found = smuggled(attacks, withControls(json.tokenizer ?? json))
    expect(found.spelling).toBeGreaterThanOrEqual(6)
    expect(found.naive).toBe(found.spelling)
    expect(found.ours).toBe(0)
  })
  it('is not seen where there is none', async () => {
    const text = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
    const parts = text.split('\n').filter((line) => line.length >= 20)
    expect((await falseAlarms(parts))['input rule']!.hits).toBe(0)
    for (const { alarms, texts } of committed('injection').benign)
      expect(alarms['input rule'].hits / texts).toBeLessThan(0.002)
  })
})

describe('valid JSON', () => {
  it('always comes with masks, also from a model that has learnt nothing', async () => {
    const { model } = await writeTextModel(folder)
    writeFileSync(join(model, 'chat_template.jinja'), TINY_CHAT_TEMPLATE)
    const counts = await countValid(localModel(await loadLm(model)), 1, { tight: 120 })
    expect(counts.map(({ schema }) => schema)).toEqual(Object.keys(SCHEMAS))
    expect(counts.filter(({ masks, asked }) => masks !== asked)).toEqual([])
    expect(counts.reduce((sum, { free }) => sum + free, 0)).toBe(0)
    for (const name of ['valid-json-stories260k']) {
      const { totals } = committed(name)
      expect([totals.asked, totals.masks]).toEqual([200, 200])
      expect(totals.free / totals.fits).toBeLessThan(0.2)
    }
  })
})

describe('a needle', () => {
  it('is found in twenty contexts by mapReduce, and hardly where the text is cut', async () => {
    const found = await measureNeedles(reader(), 3)
    expect(found).toEqual([
      { arm: 'mapReduce', found: 3, of: 3 },
      { arm: 'beginning', found: 1, of: 3 },
      { arm: 'end', found: 0, of: 3 },
    ])
  })
})
