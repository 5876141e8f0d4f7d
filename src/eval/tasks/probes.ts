// What a small model can be asked that has learned nothing but its own text: sums and copies. The documents are made from a fixed seed.

import { PythonRandom } from '../python-random.ts'
import type { Doc, GroupConfig, TaskConfig } from '../task-config.ts'

const COUNT = 200
const DIGITS = [1, 2, 3] as const

/** Sums of two numbers of one, two and three digits, answered by going on; five examples come first. */
export function arithmetic(): GroupConfig {
  return {
    group: 'arithmetic',
    task: DIGITS.map((digits): TaskConfig => {
      const random = new PythonRandom(digits)
      const number = (): number => random.below(10 ** digits)
      const problem = (): Doc => {
        const [a, b] = [number(), number()]
        return { a, b, sum: String(a + b) }
      }
      const all = Array.from({ length: COUNT + 20 }, problem)
      return {
        task: `arithmetic_${digits}digit`,
        output_type: 'generate_until',
        test_split: 'test',
        fewshot_split: 'train',
        fewshot_config: { sampler: 'first_n' },
        num_fewshot: 5,
        custom_dataset: () => ({ train: all.slice(0, 20), test: all.slice(20) }),
        doc_to_text: '{{a}} + {{b}} =',
        doc_to_target: 'sum',
        fewshot_delimiter: '\n',
        generation_kwargs: { until: ['\n'], do_sample: false, max_gen_toks: 8 },
        filter_list: [{ name: 'none', filter: [{ function: 'remove_whitespace' }, { function: 'take_first' }] }],
        metric_list: [{ metric: 'exact_match' }],
        metadata: { version: 1 },
      }
    }),
    aggregate_metric_list: [{ metric: 'exact_match' }],
    metadata: { version: 1 },
  }
}

/**
 * Whether the model takes up what it has read: a line of letters, the beginning of the same line again, and four letters to go on with. All
 * are in the line, and one comes next (induction, Olsson et al. 2022).
 */
export function copying(): TaskConfig {
  const random = new PythonRandom(0)
  const letters = Array.from('abcdefghijklmnopqrstuvwxyz')
  const docs = Array.from({ length: COUNT }, (): Doc => {
    const line = random.sample(letters, 12)
    const at = 4 + random.below(6)
    const wrong = random.sample(
      line.filter((_, i) => i !== at),
      3,
    )
    const gold = random.below(4)
    return {
      line: line.join(' '),
      begin: line.slice(0, at).join(' '),
      choices: [...wrong.slice(0, gold), line[at]!, ...wrong.slice(gold)],
      gold,
    }
  })
  return {
    task: 'copying',
    output_type: 'multiple_choice',
    test_split: 'test',
    custom_dataset: () => ({ test: docs }),
    doc_to_text: '{{line}}\n{{begin}}',
    doc_to_choice: 'choices',
    doc_to_target: 'gold',
    metric_list: [{ metric: 'acc' }],
    metadata: { version: 1 },
  }
}
