import { describe, expect, it } from 'vitest'
import { dataFolder } from '../../test/data-folder.ts'
import { fakeLm } from '../lm/fake-lm.ts'
import { evaluate } from './evaluate.ts'
import { lmModel } from './lm-model.ts'
import { readTaskFile } from './read-task.ts'
import { loadTask } from './task.ts'
import type { GroupConfig, TaskConfig } from './task-config.ts'

const { file, directory } = dataFolder()
const rows = (name: string, docs: readonly object[]): string =>
  file(name, docs.map((doc) => JSON.stringify(doc)).join('\n'))
let count = 0
/** A task file over `docs`; `keys` are lines of YAML. */
function taskFile(keys: string, docs: readonly object[] = [{ q: 'a', choices: ['x', 'y'], gold: 0 }]): string {
  const data = rows(`data-${++count}.jsonl`, docs)
  return file(
    `task-${count}.yaml`,
    `task: t\ndataset_path: json\ndataset_kwargs:\n  data_files:\n    test: ${data}\ntest_split: test\n${keys}`,
  )
}
const CHOICES = 'output_type: multiple_choice\ndoc_to_text: q\ndoc_to_choice: choices\ndoc_to_target: gold\n'
const ask = async (path: string): Promise<unknown> =>
  evaluate(lmModel(fakeLm()), [await loadTask((await readTaskFile(path)) as TaskConfig)])

describe('a task file', () => {
  it.each([
    ['generation_kwargs: []', /generation_kwargs in .*: expected keys with values, got \[\]/],
    ['generation_kwargs: {until: 3}', /generation_kwargs\.until in .*: expected texts, got 3/],
    [
      'generation_kwargs: {max_gen_toks: -3}',
      /generation_kwargs\.max_gen_toks in .*: expected a whole number ≥ 1, got -3/,
    ],
    ['generation_kwargs: {temperature: 1e-3}', /generation_kwargs\.temperature in .*: expected a number .*got "1e-3"/],
    ['generation_kwargs: {do_sample: "no"}', /do_sample in .*: expected true or false, got "no"/],
    ['fewshot_config: 3', /fewshot_config in .*: expected keys with values, got 3/],
    ['repeats: 1000000000', /repeats in .*: expected at most 10000, got 1000000000/],
    ['metric_list: []', /metric_list in .*: expected at least one metric, got \[\]/],
    ['constructor: 3', /constructor in .*: expected a key of a task, got an unknown one/],
  ])('is refused with %s', async (line, message) => {
    await expect(readTaskFile(taskFile(`doc_to_target: gold\n${line}\n`))).rejects.toThrow(message)
  })

  it('has texts where PyYAML has them, and is read once where many include it', async () => {
    const path = taskFile(
      'output_type: multiple_choice\ndoc_to_choice: [y, n]\ndoc_to_target: gold\ntarget_delimiter: .\n',
    )
    expect(await readTaskFile(path)).toMatchObject({ doc_to_choice: ['y', 'n'], target_delimiter: '.' })
    file('level-40.yaml', 'task: last\ndoc_to_target: a\n')
    for (let i = 39; i > 0; i--) file(`level-${i}.yaml`, `include: [level-${i + 1}.yaml, level-${i + 1}.yaml]\n`)
    expect(await readTaskFile(file('level-0.yaml', 'include: level-1.yaml\n'))).toMatchObject({ task: 'last' })
  })

  it("reads what it includes first, and PyYAML's words for true and false", async () => {
    file(
      'base.yaml',
      'output_type: multiple_choice\ndoc_to_choice: ["A", "B"]\nnum_fewshot: 2\nshould_decontaminate: yes\n',
    )
    const path = file('own.yaml', 'include: base.yaml\ntask: own\ndoc_to_target: "{{gold}}"\nnum_fewshot: 0\n')
    expect(await readTaskFile(path)).toMatchObject({
      task: 'own',
      output_type: 'multiple_choice',
      num_fewshot: 0,
      should_decontaminate: true,
    })
  })

  it('makes groups of files beside it, of tasks and of groups', async () => {
    file('one.yaml', 'task: one\ndoc_to_target: a\n')
    const path = file(
      'group.yaml',
      'group: g\ntask:\n  - one\n  - elsewhere\n  - task: inner\n    doc_to_target: b\n  - group: deep\n    task: [one]\naggregate_metric_list:\n  - metric: acc\n    weight_by_size: false\nmetadata:\n  version: 2\n',
    )
    const group = (await readTaskFile(path)) as GroupConfig
    expect(group.task).toMatchObject([
      { task: 'one' },
      'elsewhere',
      { task: 'g::inner', doc_to_target: 'b' },
      { group: 'g::deep', task: [{ task: 'one' }] },
    ])
  })

  it('may be a module', async () => {
    const path = file(
      'mine.mjs',
      "export default { task: 'mine', test_split: 'test', custom_dataset: () => ({ test: [{ a: 1 }] }), doc_to_text: (doc) => 'a is ' + doc.a, doc_to_target: 'a' }",
    )
    const task = await loadTask((await readTaskFile(path)) as TaskConfig)
    expect(task.text(task.docs[0]!, 0)).toBe('a is 1')
  })

  it('keeps white space and types as lm-eval does', async () => {
    const path = taskFile('doc_to_text: "{{q}}\\n"\ndoc_to_target: " {{gold}}"\n')
    const task = await loadTask((await readTaskFile(path)) as TaskConfig)
    expect(task.text(task.docs[0]!, 0)).toBe('a\n')
    expect(task.target(task.docs[0]!, 0)).toBe(' 0')
  })

  it.each([
    [
      'a template that names a missing field',
      `${CHOICES}description: "{{who}}"\n`,
      undefined,
      "task t, document 0, description: expected a field 'who', which the template names, got fields q, choices, gold",
    ],
    [
      'a right answer that is no choice',
      CHOICES,
      [
        { q: 'a', choices: ['x', 'y'], gold: 1 },
        { q: 'b', choices: ['x'], gold: 1 },
      ],
      'task t, document 1, doc_to_target: expected one of the 1 choices (0 to 0, or its text), got 1',
    ],
    [
      'choices that are none',
      CHOICES,
      [{ q: 'a', choices: [], gold: 0 }],
      'task t, document 0, doc_to_choice: expected a list of at least one choice, got []',
    ],
    [
      'an empty choice',
      CHOICES,
      [{ q: 'a', choices: ['x', ''], gold: 0 }],
      'task t, document 0, doc_to_choice: expected choices that are texts and not empty, got "" as choice 1',
    ],
    [
      'a split that is not there',
      `${CHOICES}fewshot_split: dev\nnum_fewshot: 1\n`,
      undefined,
      "task t: split 'dev': expected data of that name, got only test",
    ],
    [
      'more examples than there are',
      `${CHOICES}fewshot_split: test\nnum_fewshot: 1\n`,
      undefined,
      'task t: num_fewshot: expected at most 0',
    ],
    ['a Python function', `${CHOICES}process_docs: !function utils.mine\n`, undefined, 'got !function anneal-data-'],
    ['an unknown key', `${CHOICES}doc_to_txt: q\n`, undefined, 'doc_to_txt in'],
    [
      'an unknown metric',
      `${CHOICES}metric_list:\n  - metric: accuracy\n`,
      undefined,
      'metric_list of task t: expected metrics of multiple_choice tasks',
    ],
    ['an unknown kind', 'output_type: choice\ndoc_to_target: q\n', undefined, 'output_type in'],
    [
      'a misspelt option of answers',
      'doc_to_text: q\ndoc_to_target: q\ngeneration_kwargs: {max_gen_tokens: 8}\n',
      undefined,
      'expected one of until, do_sample, temperature, top_p, top_k, max_gen_toks',
    ],
    [
      'a search that is not carried out',
      'doc_to_text: q\ndoc_to_target: q\ngeneration_kwargs: {num_beams: 4}\n',
      undefined,
      'generation_kwargs.num_beams in',
    ],
    ["another language's tag", `${CHOICES}description: !!python/object:os.system x\n`, undefined, 'YAML in'],
  ])('with %s is refused in one line', async (_, keys, docs, message) => {
    await expect(ask(taskFile(keys, docs))).rejects.toThrow(message)
  })

  it('may give options of answers that change none', async () => {
    const path = taskFile(
      'doc_to_text: q\ndoc_to_target: q\ngeneration_kwargs: {until: "x", num_beams: 1, min_p: null}\n',
    )
    expect(((await readTaskFile(path)) as TaskConfig).generation_kwargs).toMatchObject({ until: 'x', num_beams: 1 })
  })

  it('names data that is not there', async () => {
    const path = file(
      'lost.yaml',
      'task: lost\ndataset_path: json\ndataset_kwargs:\n  data_files: nowhere.jsonl\ntest_split: train\ndoc_to_target: a\n',
    )
    await expect(ask(path)).rejects.toThrow(
      "task lost: dataset_kwargs.data_files: expected a file, got 'nowhere.jsonl'",
    )
    const hub = file('hub.yaml', 'task: hub\ndataset_path: owner/name\ntest_split: test\ndoc_to_target: a\n')
    await expect(ask(hub)).rejects.toThrow("got 'owner/name'. Nothing is downloaded: give its files with --data DIR")
    await expect(readTaskFile(`${directory}/no.yaml`)).rejects.toThrow('expected a task file, got nothing')
  })
})

it('finds the files of a split by their names, and types the columns of a table', async () => {
  file('validation-00000-of-00001.csv', 'q,gold,x\nwhy?,1,\nhow?,0,2.5\n')
  const task = await loadTask(
    {
      task: 'table',
      dataset_path: 'owner/name',
      validation_split: 'validation',
      doc_to_text: 'q',
      doc_to_target: 'gold',
    },
    { data: directory },
  )
  expect(task.docs).toEqual([
    { q: 'why?', gold: 1, x: null },
    { q: 'how?', gold: 0, x: 2.5 },
  ])
})

it("prints a table's numbers as pandas has them, and takes its words for empty cells", async () => {
  const path = file('cells.csv', 'q,whole,part,word\n"a",1,1.0,None\nb,0,2.50,NA\n"The nan",1,,nan\nc,1,4,x\n')
  const config = {
    task: 'cells',
    dataset_path: 'csv',
    dataset_kwargs: { data_files: { test: path } },
    test_split: 'test',
  }
  const fields = '{{q}} {{whole}} {{part}} {{word}}'
  const task = await loadTask({ ...config, doc_to_text: fields, doc_to_target: 'q' })
  expect(task.docs.map((doc, id) => task.text(doc, id))).toEqual([
    'a 1 1.0 None',
    'b 0 2.5 None',
    'The nan 1 None None',
    'c 1 4.0 x',
  ])
})
