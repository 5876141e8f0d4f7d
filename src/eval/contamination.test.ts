import { expect, it } from 'vitest'
import { dataFolder } from '../../test/data-folder.ts'
import { fakeLm } from '../lm/fake-lm.ts'
import { contamination } from './contamination.ts'
import { evaluate } from './evaluate.ts'
import { lmModel } from './lm-model.ts'
import { loadTask } from './task.ts'

const { file } = dataFolder()

it('finds documents that the training text has word for word, and tells the scores without them', async () => {
  const long = Array.from({ length: 20 }, (_, i) => `word${i}`).join(' ')
  const docs = [
    { q: `New start, ${long}`, a: 'yes' }, // thirteen words in a row are in the text
    { q: 'the quick brown fox jumps', a: 'over' }, // as a whole
    { q: 'something else altogether that nobody wrote', a: 'no' },
    { q: 'too short', a: '!' },
  ]
  const task = await loadTask({
    task: 'seen',
    test_split: 'test',
    custom_dataset: () => ({ test: docs }),
    doc_to_text: 'q',
    doc_to_target: 'a',
    generation_kwargs: { until: ['\n'], max_gen_toks: 4 },
  })
  const runs = await evaluate(lmModel(fakeLm({ reply: () => 'no' })), [task])
  const text = file('train.txt', `Before.\n\n${long.toUpperCase()}, and more. The quick, brown fox -- jumps over it.`)
  const found = await contamination(runs, [text])
  expect(found.seen).toMatchObject({ documents: 3, found: 2, ids: [0, 1], short: 1 })
  // Of four answers one is right; of the two that are left, one.
  expect(found.seen!.clean['exact_match,none']).toBe(0.5)
})

it('finds one choice of several, a sentence by itself or behind its question', async () => {
  const docs = [
    { q: '', choices: ['the cat that sleeps is old', 'the cat that sleeps are old'] },
    { q: 'who ate all of it', choices: ['the dog did', 'the cow did'] },
    { q: '', choices: ['nobody wrote this one down', 'nobody writes this one down'] },
  ]
  const task = await loadTask({
    task: 'pairs',
    test_split: 'test',
    custom_dataset: () => ({ test: docs }),
    output_type: 'multiple_choice',
    doc_to_text: 'q',
    doc_to_choice: 'choices',
    doc_to_target: 0,
  })
  const runs = await evaluate(lmModel(fakeLm({ reply: () => '' })), [task])
  const text = file('text.txt', 'He said: the cat that sleeps is old, and so on. Who ate all of it? The cow did!')
  expect((await contamination(runs, [text])).pairs).toMatchObject({ documents: 3, found: 2, ids: [0, 1], short: 0 })
})
