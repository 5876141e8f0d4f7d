import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { dataFolder } from '../../test/data-folder.ts'
import { fakeLm } from '../lm/fake-lm.ts'
import { evaluate } from './evaluate.ts'
import { detokenizedWikitext, FUNCTIONS } from './functions.ts'
import { lmModel } from './lm-model.ts'
import { readTaskFile } from './read-task.ts'
import { loadTask } from './task.ts'
import type { TaskConfig } from './task-config.ts'

const { directory, file } = dataFolder()

it('asks WinoGrande as its file says, by functions of the same names', async () => {
  mkdirSync(join(directory, 'winogrande'))
  const doc = { sentence: 'The box did not fit, for the _ was too big.', option1: 'box', option2: 'bag', answer: '1' }
  const data = file('winogrande/docs.jsonl', JSON.stringify(doc))
  const name = 'preprocess_winogrande'
  const yaml = file(
    'winogrande/default.yaml',
    `task: winogrande\ndataset_path: json\ndataset_kwargs: {data_files: {validation: ${data}}}\noutput_type: multiple_choice\nvalidation_split: validation\n` +
      `doc_to_text: !function ${name}.doc_to_text\ndoc_to_target: !function ${name}.doc_to_target\ndoc_to_choice: !function ${name}.doc_to_choice\n`,
  )
  const [run] = await evaluate(lmModel(fakeLm()), [await loadTask((await readTaskFile(yaml)) as TaskConfig)])
  expect(run!.samples[0]!.arguments).toEqual([
    ['The box did not fit, for the box', ' was too big.'],
    ['The box did not fit, for the bag', ' was too big.'],
  ])
  expect(run!.samples[0]!.scores).toMatchObject({ acc: 1 })
})

it('counts TruthfulQA by probabilities', () => {
  const count = FUNCTIONS.get('truthfulqa/utils.process_results_mc2') as unknown as (
    doc: object,
    results: unknown[],
  ) => { acc: number }
  const results = [0.2, 0.1, 0.1].map((p) => [Math.log(p), false])
  expect(count({ mc2_targets: { labels: [1, 0, 1] } }, results).acc).toBeCloseTo(0.75, 12)
})

it('takes the spaces of WikiText back', () => {
  expect(
    detokenizedWikitext(' = Heading = \n The 3 @,@ 000 men ( and " women " ) of x @-@ rays , it \'s said .\n'),
  ).toBe(' = Heading =\nThe 3,000 men (and "women") of x-rays, it\'s said .\n')
})
