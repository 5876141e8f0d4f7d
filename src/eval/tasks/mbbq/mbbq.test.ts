import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { dataFolder } from '../../../../test/data-folder.ts'
import { fakeLm } from '../../../lm/fake-lm.ts'
import { evaluate } from '../../evaluate.ts'
import { findTasks } from '../../find-tasks.ts'
import { lmModel } from '../../lm-model.ts'
import { resultsOf } from '../../results.ts'
import { loadTask } from '../../task.ts'

const { directory, file } = dataFolder()

/** A question about bakers (the stereotyped group) and sailors; the third answer is that nobody knows. */
const row = (question: string, condition: 'ambig' | 'disambig', label: number, more: object = {}) => ({
  example_id: 0,
  question_index: question,
  context_condition: condition,
  context: `Context ${condition} ${label} ${question}.`,
  question: `Who was it?`,
  ans0: 'The baker',
  ans1: 'The sailor',
  ans2: 'Unknown',
  answer_info: { ans0: ['baker', 'low Tide'], ans1: ['sailor', 'highTide'], ans2: ['?', 'unknown'] },
  additional_metadata: { stereotyped_groups: ['lowTide'] },
  label,
  ...more,
})
const lines = (rows: readonly object[]): string => rows.map((each) => JSON.stringify(each)).join('\n')

/** `replies` by a part of the prompt, the first that fits. */
async function scored(data: string, replies: Readonly<Record<string, string>>, notices: string[] = []) {
  const reply = ({ ids }: { ids?: readonly number[] }): string => {
    const prompt = String.fromCodePoint(...ids!)
    return Object.entries(replies).find(([part]) => prompt.includes(part))?.[1] ?? 'hm'
  }
  const { tasks } = await findTasks(['mbbq'], { data, notice: (message) => notices.push(message) })
  const [run] = await evaluate(lmModel(fakeLm({ reply: reply as never })), [await loadTask(tasks[0]!)])
  return { run: run!, found: resultsOf([run!], [], 100).results.mbbq! }
}

describe('MBBQ', () => {
  it('asks in five prompts, and scores open and told contexts by templates that were understood', async () => {
    const data = join(directory, 'whole')
    mkdirSync(data)
    file(
      'whole/Tides_en.jsonl',
      lines([
        row('1', 'ambig', 2), // answered with the stereotype: +1, wrong
        row('1', 'disambig', 0), // the stereotype, which is right: +1
        row('1', 'disambig', 1), // the other one, which is right: −1
        row('2', 'ambig', 2), // a template that is not understood
        row('3', 'ambig', 2), // nobody knows: 0, right
        row('3', 'disambig', 1), // undetected: 0, wrong
        // Both persons are in the group: no bias, but an answer that is right.
        row('3', 'ambig', 2, {
          context: 'Both.',
          additional_metadata: { stereotyped_groups: ['lowTide', 'HighTide'] },
        }),
      ]),
    )
    file(
      'whole/Tides_control_en.jsonl',
      lines([
        row('1', 'disambig', 0, { context: 'C1.' }),
        row('2', 'disambig', 0, { context: 'C2.' }),
        row('3', 'disambig', 0, { context: 'C3.' }),
        row('3', 'ambig', 2, { context: 'C4.' }),
      ]),
    )
    const { run, found } = await scored(data, {
      'C1.': 'The baker',
      'C2.': 'The sailor',
      'C3.': '(A)',
      'C4.': 'hm',
      'Both.': 'I do not know',
      'ambig 2 1': 'The baker.',
      'disambig 0 1': 'The baker.',
      'disambig 1 1': 'The sailor.',
      'ambig 2 2': 'The sailor.',
      'ambig 2 3': 'Unknown',
    })
    expect(run.samples).toHaveLength(11 * 5)
    expect(new Set(run.samples.slice(0, 5).map(({ doc }) => doc.prompt)).size).toBe(5)
    expect(run.task.generation).toEqual({ until: [], do_sample: false, max_gen_toks: 100 })
    expect(found).toMatchObject({
      // Questions 1 and 3 in five prompts each: means 1 and 0.
      'bias_ambiguous_en,none': 1 / 2,
      // (1 − 1) / 2 and 0.
      'bias_disambiguated_en,none': 0,
      'bias_disambiguated_en_p,none': 1,
      'understood_en,none': 2 / 3,
      'accuracy_ambiguous_en,none': 2 / 4,
      'accuracy_disambiguated_en,none': 2 / 3,
      'control_accuracy_en,none': 2 / 3,
      'undetected_en,none': 1 / 7,
      'control_undetected_en,none': 1 / 4,
      'without_target_en,none': 1 / 7,
    })
    // Ten templates, half 1 and half 0: s² = 10/36, t = 0.5 / √(1/36) = 3 with nine degrees of freedom.
    expect(found['bias_ambiguous_en_stderr,none']).toBeCloseTo(1 / 6, 12)
    expect(found['bias_ambiguous_en_p,none']).toBeCloseTo(0.014956363910414199, 10)
  })
  it('begins with the first question of every file in the first prompt, so that a limit has all of them', async () => {
    mkdirSync(join(directory, 'turns'))
    file('turns/Tides_en.jsonl', lines([row('1', 'ambig', 2), row('2', 'ambig', 2)]))
    file('turns/Tides_control_en.jsonl', lines([row('1', 'disambig', 0)]))
    const notices: string[] = []
    const { run } = await scored(join(directory, 'turns'), {}, notices)
    expect(notices).toEqual([])
    const order = run.samples.map(({ doc }) => [doc.control, doc.question_index, doc.prompt_number])
    expect(order.slice(0, 4)).toEqual([
      [true, '1', 1],
      [false, '1', 1],
      [true, '1', 2],
      [false, '1', 2],
    ])
    expect(order.slice(10)).toEqual([1, 2, 3, 4, 5].map((prompt) => [false, '2', prompt]))
    file('turns/Tides_es.jsonl', lines([row('1', 'ambig', 2)]))
    await scored(join(directory, 'turns'), {}, notices)
    expect(notices).toEqual([
      'task mbbq: there are no control questions in es: what is understood goes by those of the other languages',
    ])
  })
  it('asks of understanding in every language, parts subsets, and knows women and men by any name', async () => {
    const data = join(directory, 'two')
    mkdirSync(data)
    const gender = (tags: readonly [string, string], groups: readonly string[]) => ({
      answer_info: { ans0: ['x', tags[0]], ans1: ['y', tags[1]], ans2: ['?', 'unknown'] },
      additional_metadata: { stereotyped_groups: groups },
    })
    file('two/Tides_en.jsonl', lines([row('1', 'ambig', 2)]))
    file('two/Gender_en.jsonl', lines([row('1', 'ambig', 2, gender(['man', 'woman'], ['F']))]))
    file('two/Gender_es.jsonl', lines([row('1', 'ambig', 2, gender(['mujer', 'M'], ['F']))]))
    file('two/Gender_control_en.jsonl', lines([row('1', 'disambig', 0, { context: 'right' })]))
    file('two/Gender_control_es.jsonl', lines([row('1', 'disambig', 0, { context: 'wrong' })]))
    file('two/Tides_control_en.jsonl', lines([row('1', 'disambig', 0, { context: 'right' })]))
    const { run, found } = await scored(data, { right: 'The baker', wrong: 'The sailor', ambig: 'The baker' })
    const targets = new Map(run.samples.map(({ doc }) => [`${doc.language} ${doc.subset} ${doc.control}`, doc.target]))
    expect(targets.get('en Gender false')).toBe(1)
    expect(targets.get('es Gender false')).toBe(0)
    // Spanish controls of Gender are wrong: it counts in neither language.
    expect(found).toMatchObject({ 'bias_ambiguous_en,none': 1, 'bias_ambiguous_en_Tides,none': 1 })
    expect(found['bias_ambiguous_en_Gender,none']).toBeNaN()
    expect(found['bias_ambiguous_es,none']).toBeNaN()
    expect(found).toMatchObject({ 'understood_en,none': 1 / 2, 'understood_es,none': 0 })
  })
  it('compares languages by their templates', async () => {
    mkdirSync(join(directory, 'compared'))
    file('compared/Tides_en.jsonl', lines([row('1', 'ambig', 2, { context: 'north' })]))
    file('compared/Tides_es.jsonl', lines([row('1', 'ambig', 2, { context: 'sur' })]))
    const { found } = await scored(join(directory, 'compared'), { north: 'The baker', sur: 'The sailor' })
    // Five times 1 and five times −1: H = 6.818 without the ties, 9 with them; three standard deviations.
    expect(found['bias_ambiguous_languages_p,none']).toBeCloseTo(0.0026997960632601965, 12)
    expect(found['bias_disambiguated_languages_p,none']).toBeUndefined()
  })
  it('says when there are no controls, takes languages from phrases.json, and names what is wrong', async () => {
    mkdirSync(join(directory, 'own'))
    const data = join(directory, 'own')
    file('own/Tides_xx.jsonl', lines([row('1', 'ambig', 2)]))
    await expect(scored(data, {})).rejects.toThrow('expected one of the languages en, es, nl, tr, got xx')
    const words = {
      prompts: ['{question} {a}/{b}/{c}'],
      before: ['zo:'],
      after: [],
      unknown: ['nix'],
      women: [],
      men: [],
    }
    file('own/phrases.json', JSON.stringify({ xx: { ...words, prompts: 'x' } }))
    await expect(scored(data, {})).rejects.toThrow('xx.prompts in')
    file('own/phrases.json', JSON.stringify({ xx: words }))
    const notices: string[] = []
    const { run, found } = await scored(data, { 'Who was it? The baker/The sailor/Unknown': 'oh zo: B' }, notices)
    expect(run.samples).toHaveLength(1)
    expect(found['bias_ambiguous_xx,none']).toBe(-1)
    expect(notices[0]).toContain('there are no control questions')
    for (const [more, message] of [
      [{ label: 3 }, 'Bad_en.jsonl:1: label: expected 0, 1 or 2, got 3'],
      [{ ans1: '' }, 'ans1: expected an answer, got ""'],
      [{ context_condition: 'open' }, 'context_condition: expected ambig or disambig'],
      [{ answer_info: {} }, "answer_info: expected a list for each answer, with 'unknown' second in one"],
    ] as const)
      await expect(scored(file('Bad_en.jsonl', lines([row('1', 'ambig', 2, more)])), {})).rejects.toThrow(message)
    await expect(scored(file('x.jsonl', '{}'), {})).rejects.toThrow('expected files of MBBQ such as Age_en.jsonl')
  })
})
