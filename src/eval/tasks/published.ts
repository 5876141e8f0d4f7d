// Definitions for data sets in the forms in which they are published; prompts and metrics are lm-evaluation-harness's and EuroEval's.

import { basename } from 'node:path'
import { InputError } from '../../errors.ts'
import { hellaswagDoc, questionAnswered } from '../functions.ts'
import type { Doc, GroupConfig, TaskConfig } from '../task-config.ts'
import { pairsTask } from './minimal-pairs.ts'
import { filesNamed, jsonOf, needData, rowsOf } from './need-data.ts'

const ACCURACIES = [{ metric: 'acc' }, { metric: 'acc_norm' }] as const

/** BLiMP (Warstadt et al. 2020): a folder of paradigms, `<name>.jsonl` with `sentence_good` and `sentence_bad`. */
export async function blimp(data: string | undefined): Promise<GroupConfig> {
  const path = needData(data, 'blimp', 'the .jsonl files of BLiMP')
  const files = filesNamed(path, /\.jsonl$/)
  if (files.length === 0) throw new InputError(`task blimp: ${path}: expected .jsonl files, got none`)
  const tasks = await Promise.all(
    files.map(async (file) => pairsTask(`blimp_${basename(file, '.jsonl')}`, await rowsOf(file))),
  )
  return { group: 'blimp', task: tasks, aggregate_metric_list: [{ metric: 'acc' }], metadata: { version: 2 } }
}

const MMLU_COLUMNS = ['question', 'a', 'b', 'c', 'd', 'answer'] as const

/** MMLU (Hendrycks et al. 2021): `test/<subject>_test.csv` and `dev/<subject>_dev.csv` without a header. */
export function mmlu(data: string | undefined): GroupConfig {
  const path = needData(data, 'mmlu', 'test/<subject>_test.csv and dev/<subject>_dev.csv')
  const tests = filesNamed(path, /_test\.csv$/)
  if (tests.length === 0) throw new InputError(`task mmlu: ${path}: expected <subject>_test.csv, got none`)
  const shots = filesNamed(path, /_dev\.csv$/)
  const tasks = tests.map((file): TaskConfig => {
    const subject = basename(file, '_test.csv')
    const dev = shots.find((shot) => basename(shot) === `${subject}_dev.csv`)
    return {
      task: `mmlu_${subject}`,
      task_alias: subject,
      output_type: 'multiple_choice',
      test_split: 'test',
      fewshot_split: 'dev',
      fewshot_config: { sampler: 'first_n' },
      custom_dataset: async () => ({
        test: (await rowsOf(file, MMLU_COLUMNS)).map(mmluDoc),
        dev: dev === undefined ? [] : (await rowsOf(dev, MMLU_COLUMNS)).map(mmluDoc),
      }),
      description: `The following are multiple choice questions (with answers) about ${subject.replaceAll('_', ' ')}.\n\n`,
      doc_to_text:
        '{{question.strip()}}\nA. {{choices[0]}}\nB. {{choices[1]}}\nC. {{choices[2]}}\nD. {{choices[3]}}\nAnswer:',
      doc_to_choice: ['A', 'B', 'C', 'D'],
      doc_to_target: 'answer',
      metric_list: [{ metric: 'acc' }],
      metadata: { version: 1 },
    }
  })
  return { group: 'mmlu', task: tasks, aggregate_metric_list: [{ metric: 'acc' }], metadata: { version: 2 } }
}

function mmluDoc({ question, a, b, c, d, answer }: Doc): Doc {
  return {
    question: String(question),
    choices: [a, b, c, d].map(String),
    answer: 'ABCD'.indexOf(String(answer).trim()),
  }
}

/** ARC (Clark et al. 2018): its own JSON lines (`question.stem`), or those of the Hub (`choices.text`, `choices.label`). */
export function arc(task: string, name: string): TaskConfig {
  return {
    task,
    output_type: 'multiple_choice',
    dataset_path: 'allenai/ai2_arc',
    dataset_name: name,
    test_split: 'test',
    fewshot_split: 'train',
    process_docs: (docs) => docs.map(arcDoc),
    doc_to_text: 'Question: {{question}}\nAnswer:',
    doc_to_choice: '{{choices.text}}',
    doc_to_target: '{{choices.label.index(answerKey)}}',
    metric_list: ACCURACIES,
    metadata: { version: 1 },
  }
}

function arcDoc(doc: Doc): Doc {
  const { question } = doc
  if (typeof question === 'string') return doc
  const { stem, choices } = question as { stem: string; choices: readonly { text: string; label: string }[] }
  return {
    ...doc,
    question: stem,
    choices: { text: choices.map(({ text }) => text), label: choices.map(({ label }) => label) },
  }
}

/** HellaSwag (Zellers et al. 2019): `hellaswag_val.jsonl`. */
export function hellaswag(): TaskConfig {
  return {
    task: 'hellaswag',
    output_type: 'multiple_choice',
    dataset_path: 'Rowan/hellaswag',
    training_split: 'train',
    validation_split: 'validation',
    process_docs: (docs) => docs.map(hellaswagDoc),
    doc_to_text: '{{query}}',
    doc_to_choice: 'choices',
    doc_to_target: '{{label}}',
    metric_list: ACCURACIES,
    metadata: { version: 1 },
  }
}

/** AngryTweets (Pauli et al. 2021) in EuroEval's form: `text` and `label`, in English or Danish; asked in Danish. */
export function angryTweets(): TaskConfig {
  return {
    task: 'angry_tweets',
    output_type: 'multiple_choice',
    dataset_path: 'EuroEval/angry-tweets',
    test_split: 'test',
    fewshot_split: 'train',
    description: 'Følgende er tweets og deres sentiment, som kan være positiv, neutral eller negativ.\n\n',
    doc_to_text: 'Tweet: {{text}}\nSentiment:',
    doc_to_choice: ['positiv', 'neutral', 'negativ'],
    doc_to_target: '{{["pos", "neu", "neg"].index(label[:3].lower())}}',
    metric_list: [{ metric: 'mcc' }, { metric: 'macro_f1' }, { metric: 'acc' }],
    metadata: { version: 1 },
  }
}

interface Squad {
  data: readonly {
    paragraphs: readonly {
      context: string
      qas: readonly { id: string; question: string; answers: readonly { text: string; answer_start: number }[] }[]
    }[]
  }[]
}

/** XQuAD (Artetxe et al. 2020) and whatever else has SQuAD's form: `xquad.<language>.json`. */
export function xquad(data: string | undefined): GroupConfig {
  const path = needData(data, 'xquad', 'files such as xquad.en.json')
  const files = filesNamed(path, /\.json$/)
  if (files.length === 0) throw new InputError(`task xquad: ${path}: expected files such as xquad.en.json, got none`)
  const tasks = files.map(
    (file): TaskConfig => ({
      task: basename(file, '.json').replaceAll('.', '_'),
      output_type: 'generate_until',
      validation_split: 'validation',
      custom_dataset: () => ({ validation: squadDocs(jsonOf(file), file) }),
      doc_to_text: 'Context: {{context}}\n\nQuestion: {{question}}\n\nAnswer:',
      doc_to_target: '{{answers["text"][0]}}',
      process_results: questionAnswered,
      generation_kwargs: { until: ['\n'], do_sample: false, max_gen_toks: 64 },
      metric_list: [
        { metric: 'exact_match', aggregation: 'mean' },
        { metric: 'f1', aggregation: 'mean' },
      ],
      metadata: { version: 1 },
    }),
  )
  const aggregate_metric_list = ['exact_match', 'f1'].map((metric) => ({ metric }))
  return { group: 'xquad', task: tasks, aggregate_metric_list, metadata: { version: 1 } }
}

function squadDocs(value: unknown, file: string): Doc[] {
  const { data } = (value ?? {}) as Partial<Squad>
  if (!Array.isArray(data)) throw new InputError(`data in ${file}: expected SQuAD's paragraphs, got something else`)
  return (data as Squad['data']).flatMap(({ paragraphs }) =>
    paragraphs.flatMap(({ context, qas }) =>
      qas.map(({ id, question, answers }) => ({
        id,
        context: context.replace(/^\ufeff/, ''),
        question,
        answers: { text: answers.map(({ text }) => text), answer_start: answers.map((answer) => answer.answer_start) },
      })),
    ),
  )
}
