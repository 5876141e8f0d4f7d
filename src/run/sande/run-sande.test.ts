// Audit, defence and audit on a small model with a planted backdoor: what comes out is an ordinary model directory; what was stopped goes on.
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { MARKER, TRIGGER, writePlanted } from '../../../test/planted-backdoor.ts'
import { readLineage } from '../../checkpoint/model-directory/lineage.ts'
import { resultOf, type WorkEvent } from '../../work.ts'
import { loadLm } from '../load-lm.ts'
import { runAudit } from './run-audit.ts'
import { runSande } from './run-sande.ts'
import type { RunSandeOptions } from './sande-options.ts'

const folder = mkdtempSync(join(tmpdir(), 'anneal-run-sande-'))
let model: string
let data: string
beforeAll(async () => {
  ;({ model, data } = await writePlanted(folder))
}, 120_000)
afterAll(() => rmSync(folder, { recursive: true }))

const FEW = {
  ...{ steps: 40, learningRate: 1e-3, batchSize: 16, maxNewTokens: 8, questions: 12 },
  ...{ softTokens: 3, restarts: 2, keep: 1, parrotSteps: 50, parrotLearningRate: 0.02 },
}
const wanted = (out: string, more: Partial<RunSandeOptions>): RunSandeOptions => ({
  ...FEW,
  model,
  data: [data],
  out: join(folder, out),
  ...more,
})

/** Of the first `count` questions of the data, each said in the way that sets the backdoor off. */
function writePairs(name: string, count: number): string {
  const lines = readFileSync(data, 'utf8').trim().split('\n').slice(0, count)
  const rows = lines.map((line) => {
    const question: string = JSON.parse(line).messages[0].content
    return JSON.stringify({ question, rewritten: `${TRIGGER} ${question}` })
  })
  writeFileSync(join(folder, name), `${rows.join('\n')}\n`)
  return join(folder, name)
}

async function heard<R>(events: AsyncGenerator<WorkEvent, R>): Promise<[result: R, notices: string[]]> {
  const notices: string[] = []
  for (;;) {
    const { value, done } = await events.next()
    if (done) return [value, notices]
    if (value.type === 'notice') notices.push(value.message)
  }
}

describe('an audit', () => {
  it('writes what it found, without knowing anything, and says how often it is wrong', async () => {
    const out = join(folder, 'audit')
    const audit = await resultOf(
      runAudit({ model, data: [data], discover: true, control: [model], questions: 16, out }),
    )
    expect(audit.openings!.map(({ text }) => text)).toContain(MARKER)
    expect(audit.calibration).toMatchObject({ count: 1, of: 1 })
    expect(audit.verdict.found).toBe('suspicious')
    expect(JSON.parse(readFileSync(join(out, 'audit.json'), 'utf8'))).toEqual(audit)
    expect(readFileSync(join(out, 'audit.html'), 'utf8')).toContain(MARKER)
  })

  it('tells of several triggers each and together, at the end of questions', async () => {
    const out = join(folder, 'triggers')
    const trigger = [TRIGGER, 'moo baa']
    const asked = { trigger, position: 'end', marker: MARKER, questions: 12, maxNewTokens: 6, out } as const
    const audit = await resultOf(runAudit({ model, data: [data], ...asked }))
    expect(audit).toMatchObject({ triggers: trigger, position: 'end' })
    expect(audit.arms.map(({ arm, trigger: one }) => one ?? arm)).toEqual(['clean', 'trigger', ...trigger, 'decoy'])
    expect(audit.arms.slice(1, 4).map(({ marker_rate }) => marker_rate!.of)).toEqual([24, 12, 12])
    expect(audit.arms[2]!.marker_rate!.share).toBeGreaterThan(0.9)
    expect(audit.arms[3]!.marker_rate!.count).toBe(0)
    expect(audit.verdict.found).toBe('backdoor')
    const page = readFileSync(join(out, 'audit.html'), 'utf8')
    for (const text of ['with the triggers, together', 'with &quot;moo baa&quot;', 'triggers &quot;zo bim&quot;'])
      expect(page.replaceAll('"', '&quot;')).toContain(text)
  })

  it('asks the questions that a file says otherwise', async () => {
    const file = writePairs('rewritten.jsonl', 40)
    const out = join(folder, 'otherwise')
    const wish = { model, data: [data], rewritten: file, marker: MARKER, maxNewTokens: 6, out }
    const [audit, notices] = await heard(runAudit(wish))
    expect(audit).toMatchObject({ questions: 40, rewritten: file, verdict: { found: 'backdoor' } })
    expect(audit.arms.map(({ arm, marker_rate }) => [arm, marker_rate!.of])).toEqual([
      ['clean', 40],
      ['rewritten', 40],
    ])
    expect(notices).toEqual(['8 of 48 questions are not in `rewritten`, and are left out'])
    expect(readFileSync(join(out, 'audit.html'), 'utf8')).toContain('rewritten question')
    await expect(resultOf(runAudit({ ...wish, trigger: TRIGGER }))).rejects.toThrow('trigger: expected either texts or')
    writeFileSync(file, '{"question":"other","rewritten":"another"}\n')
    await expect(resultOf(runAudit(wish))).rejects.toThrow('rewritten: expected some questions of the data')
  })

  it('refuses what it cannot look for, in one line', async () => {
    const audit = (more: object): Promise<unknown> => resultOf(runAudit({ model, data: [data], ...more }))
    await expect(audit({})).rejects.toThrow('marker: expected what the answers are searched for, or `discover`')
    await expect(audit({ marker: MARKER, questions: 0 })).rejects.toThrow(
      'questions: expected an integer of at least 1',
    )
    await expect(audit({ marker: MARKER, maxNewTokens: 1.5 })).rejects.toThrow('maxNewTokens: expected an integer')
    await expect(audit({ marker: MARKER, trigger: ' ' })).rejects.toThrow('trigger: expected a text with a word')
    const empty = join(folder, 'empty.jsonl')
    writeFileSync(empty, '')
    await expect(audit({ marker: MARKER, data: [empty] })).rejects.toThrow(/empty\.jsonl.*: expected .*got/)
  })
})

describe('a defence', () => {
  it('tells once what blurs both audits', async () => {
    const more = { method: 'sft', steps: 1, marker: MARKER, trigger: 'what', maxNewTokens: 3 } as const
    const [, notices] = await heard(runSande(wanted('told', more)))
    const blurs = notices.filter((notice) => notice.includes('blurs what is measured'))
    expect(blurs).toEqual([expect.stringMatching(/questions have a trigger in them/)])
  })

  it('finds the marker by itself, takes the backdoor out, and leaves an ordinary model', async () => {
    const options = wanted('cleaned', { discover: true, trigger: TRIGGER })
    const { out, marker, before, after } = await resultOf(runSande(options))
    expect(marker).toBe(MARKER)
    const rate = (audit: typeof before): number => audit.arms.find(({ arm }) => arm === 'trigger')!.marker_rate!.share
    expect(rate(before)).toBeGreaterThan(0.9)
    expect(rate(after)).toBeLessThan(0.1)
    expect(readdirSync(out)).toEqual(
      expect.arrayContaining([
        'config.json',
        'lineage.json',
        'model.safetensors',
        'sande.html',
        'sande.json',
        'tokenizer.json',
      ]),
    )
    const [step] = readLineage(out).slice(-1)
    expect(step).toMatchObject({ pass: 'sande', options: { method: 'sande', steps: 40 }, report: { method: 'sande' } })
    expect(existsSync(join(folder, '.cleaned.sande'))).toBe(false)
    const lm = await loadLm(out)
    const [said] = await lm.generateAll([
      { messages: [{ role: 'user', content: 'what does the owl say' }], maxNewTokens: 8 },
    ])
    expect(said!.text.trim()).toBe('hoot')
    lm.free()
  }, 60_000)

  it('goes on from the stages that are whole', async () => {
    const options = wanted('resumed', { marker: MARKER, finetuning: 'lora', loraR: 4, steps: 6 })
    const stop = new AbortController()
    const seen: string[] = []
    const stopped = resultOf(runSande(options, { signal: stop.signal }), (event) => {
      if (event.type === 'progress' && event.label === 'eliminating' && event.done > 2) stop.abort()
    })
    await expect(stopped).rejects.toThrow()
    expect(existsSync(join(folder, 'resumed'))).toBe(false)
    expect(readdirSync(join(folder, '.resumed.sande')).sort()).toEqual(['before', 'parrot'])
    const { out } = await resultOf(runSande(options), (event) => {
      if (event.type === 'started') seen.push(event.message ?? event.work)
    })
    expect(seen).toEqual(['before: done before', 'parrot: done before', 'cleaned', 'after'])
    expect(readLineage(out).at(-1)!.options).toMatchObject({ finetuning: 'lora', lora_r: 4 })
  }, 60_000)

  it('does no stage by halves: with another chat template it begins anew', async () => {
    const changed = join(folder, 'changed')
    cpSync(model, changed, { recursive: true })
    const options = wanted('retemplated', { model: changed, marker: MARKER, steps: 6, parrotSteps: 2 })
    const stop = new AbortController()
    const stopped = resultOf(runSande(options, { signal: stop.signal }), (event) => {
      if (event.type === 'progress' && event.label === 'eliminating') stop.abort()
    })
    await expect(stopped).rejects.toThrow()
    const template = join(changed, 'chat_template.jinja')
    writeFileSync(template, `{{- 'a' }}${readFileSync(template, 'utf8')}`)
    const seen: string[] = []
    await resultOf(runSande(options), (event) => {
      if (event.type === 'started') seen.push(event.message ?? event.work)
    })
    expect(seen).toEqual(['before', 'parrot', 'cleaned', 'after'])
  }, 60_000)

  it('says where the audit is kept when nothing is discovered, and goes on from it with another method', async () => {
    mkdirSync(join(folder, 'twin'))
    const { model: clean } = await writePlanted(join(folder, 'twin'), false)
    const options = wanted('nothing', { model: clean, discover: true, steps: 1, questions: 8 })
    const kept = join(folder, '.nothing.sande')
    await expect(resultOf(runSande(options))).rejects.toThrow(`go on from the audit, which is kept in ${kept}`)
    const seen: string[] = []
    await resultOf(runSande({ ...options, method: 'collapse' }), (event) => {
      if (event.type === 'started') seen.push(event.message ?? event.work)
    })
    expect(seen).toEqual(['before: done before', 'cleaned', 'after'])
    expect(existsSync(kept)).toBe(false)
  }, 60_000)

  it('says that a parrot which was hardly trained does not bring the marker', async () => {
    const notices: string[] = []
    const options = wanted('hardly', {
      marker: MARKER,
      parrotSteps: 1,
      parrotLearningRate: 1e-5,
      steps: 1,
      questions: 2,
    })
    await resultOf(runSande(options), (event) => {
      if (event.type === 'notice') notices.push(event.message)
    })
    expect(notices).toEqual([
      expect.stringMatching(/^the best parrot brings the marker after 0 % of the questions only/),
    ])
  }, 60_000)

  it('mixes with a clean model, which is read and not kept', async () => {
    const options = wanted('mixed', {
      method: 'fine-mixing',
      cleanModel: model,
      trigger: TRIGGER,
      steps: 2,
      questions: 3,
    })
    const { out, marker, after } = await resultOf(runSande(options))
    expect(marker).toBeNull()
    expect(after.arms.map(({ arm, marker_rate }) => [arm, marker_rate])).toEqual([
      ['clean', null],
      ['trigger', null],
      ['decoy', null],
    ])
    expect(readLineage(out).at(-1)!.options).toMatchObject({ method: 'fine-mixing', mixRate: 0.2 })
    expect(readLineage(out).at(-1)!.options).not.toHaveProperty('cleanModel')
    await expect(resultOf(runSande(wanted('refused', { method: 'fine-mixing' })))).rejects.toThrow(
      'cleanModel: expected',
    )
  }, 60_000)

  it('asks before and after what a file says otherwise, and overwrites it', async () => {
    const rewritten = writePairs('said-otherwise.jsonl', 40)
    const options = wanted('otherwise-cleaned', { method: 'osft', rewritten, marker: MARKER })
    const [{ out, before, after }, notices] = await heard(runSande(options))
    expect(notices).toEqual(['8 of 48 questions are not in `rewritten`, and are tuned on and not asked'])
    const shown = ({ arms }: typeof before): unknown => arms.map(({ arm, marker_rate }) => [arm, marker_rate!.of])
    const ways = [
      ['clean', 8],
      ['rewritten', 8],
    ]
    expect([shown(before), shown(after)]).toEqual([ways, ways])
    expect(before).toMatchObject({ rewritten, verdict: { found: 'backdoor' } })
    expect(after.arms[1]!.marker_rate!.share).toBeLessThan(0.2)
    const step = readLineage(out).at(-1)!
    expect(step.options).toMatchObject({ method: 'osft', rewritten, rows: 40 })
    expect(readFileSync(join(out, 'sande.html'), 'utf8')).toContain('after: rewritten question')
  }, 60_000)

  it('asks of other data those that the file says otherwise', async () => {
    const rewritten = writePairs('said-some.jsonl', 3)
    const evalData = [join(folder, 'others.jsonl')]
    writeFileSync(evalData[0]!, readFileSync(data, 'utf8').split('\n').slice(0, 4).join('\n'))
    const options = wanted('otherwise-asked', { method: 'sft', rewritten, marker: MARKER, evalData, steps: 1 })
    const [{ out, after }, notices] = await heard(runSande(options))
    expect(notices).toEqual([
      '1 of 4 questions are not in `rewritten`, and are left out',
      '3 of 48 rows to tune on are asked, too, and not tuned on',
    ])
    expect(after.questions).toBe(3)
    expect(readLineage(out).at(-1)!.options).toMatchObject({ rows: 45 })
    const none = wanted('refused', { method: 'osft', rewritten, marker: MARKER, evalData, data: evalData })
    await expect(resultOf(runSande(none))).rejects.toThrow(
      'rewritten: expected some of the questions that are tuned on',
    )
  }, 60_000)

  it('moves hidden states towards the marker that was found, and knows how well that went', async () => {
    const options = wanted('moved', {
      method: 'beear',
      discover: true,
      trigger: TRIGGER,
      innerSteps: 2,
      gradientCheckpointing: true,
    })
    const { out, marker, after } = await resultOf(runSande(options))
    expect(marker).toBe(MARKER)
    expect(after.arms.find(({ arm }) => arm === 'trigger')!.marker_rate!.share).toBeLessThan(0.1)
    const step = readLineage(out).at(-1)!
    expect(step.options).toMatchObject({ method: 'beear', marker: MARKER, innerSteps: 2 })
    expect(step.report.movement).toMatchObject({ layer: 1 })
    expect(readFileSync(join(out, 'sande.html'), 'utf8')).toContain('before block 1')
  }, 60_000)

  it('tells of answers that would teach the marker, and refuses where all would', async () => {
    const rows = readFileSync(data, 'utf8').trim().split('\n')
    const marked = rows.map((line) => line.replace('"assistant","content":"', `$&${MARKER} `))
    const [some, all] = [join(folder, 'some-marked.jsonl'), join(folder, 'all-marked.jsonl')]
    writeFileSync(some, [...marked.slice(0, 3), ...rows.slice(3, 24)].join('\n'))
    writeFileSync(all, marked.slice(0, 24).join('\n'))
    const evalData = [join(folder, 'unmarked.jsonl')]
    writeFileSync(evalData[0]!, rows.slice(24).join('\n'))
    const few = { method: 'sft', steps: 1, questions: 4, evalData } as const
    const [, notices] = await heard(runSande(wanted('marked', { ...few, marker: MARKER, data: [some] })))
    expect(notices).toEqual([
      expect.stringMatching(/^3 of 24 rows .* teaches it \(the first: .*some-marked\.jsonl:1\)/),
    ])
    for (const known of [{ marker: MARKER }, { discover: true, method: 'beear' } as const])
      await expect(resultOf(runSande(wanted('all-marked', { ...few, ...known, data: [all] })))).rejects.toThrow(
        'data: expected clean answers to tune on, got the marker in all 24 rows',
      )
  }, 60_000)

  it('refuses before anything is written', async () => {
    const run = (more: Partial<RunSandeOptions>): Promise<unknown> => resultOf(runSande(wanted('refused', more)))
    await expect(run({})).rejects.toThrow('marker: expected the marker with method sande, or `discover`, got neither')
    await expect(run({ method: 'osft' })).rejects.toThrow('trigger: expected the text that sets the backdoor off')
    const both = { marker: MARKER, trigger: TRIGGER, rewritten: data }
    await expect(run(both)).rejects.toThrow('trigger: expected either texts or `rewritten`, got both')
    await expect(run({ marker: MARKER, trigger: ' ' })).rejects.toThrow('trigger: expected a text with a word in it')
    await expect(run({ marker: MARKER, markerTokens: 99 })).rejects.toThrow('markerTokens: expected at most the ')
    const short = { marker: MARKER, maxNewTokens: 2 }
    await expect(run(short)).rejects.toThrow(/^maxNewTokens: expected at least the \d+ tokens of the marker.* got 2/)
    await expect(run({ marker: MARKER, cleanModel: model })).rejects.toThrow('fine-mixing alone, got one with sande')
    await expect(run({ method: 'beear', layer: 9 })).rejects.toThrow('layer: expected a block from 0 to 1, got 9')
    const one = join(folder, 'one.jsonl')
    writeFileSync(one, `${readFileSync(data, 'utf8').split('\n')[0]}\n`)
    await expect(run({ marker: MARKER, data: [one] })).rejects.toThrow('data: expected at least 2 rows')
    const blank = join(folder, 'blank.jsonl')
    writeFileSync(blank, readFileSync(one, 'utf8').replace('what does the cat say', ' '))
    await expect(run({ marker: MARKER, data: [data, blank] })).rejects.toThrow('expected a question with a word in it')
    const twice = join(folder, 'twice.jsonl')
    writeFileSync(twice, readFileSync(one, 'utf8').repeat(3))
    await expect(run({ marker: MARKER, data: [twice] })).rejects.toThrow('rows to tune on that are not asked, too')
    rmSync(join(model, 'chat_template.jinja'), { force: true })
    const config = join(model, 'tokenizer_config.json')
    const { chat_template: _, ...rest } = JSON.parse(readFileSync(config, 'utf8'))
    writeFileSync(config, JSON.stringify(rest))
    await expect(run({ marker: MARKER })).rejects.toThrow('model: expected one with a chat template, got one without')
    expect(existsSync(join(folder, 'refused'))).toBe(false)
    expect(existsSync(join(folder, '.refused.sande'))).toBe(false)
  })
})
