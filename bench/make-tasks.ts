// `tsx bench/make-tasks.ts MODEL CORPUS DIR`: a tokenizer for the model, trained on the corpus, and one task of each kind of request, as
// files that both engines read: endings of a text (four each), letters after five solved examples, perplexity of pages, texts to go on with.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { trainBpe } from '../src/text/bpe.ts'

const [model = '', corpus = '', directory = ''] = process.argv.slice(2)
const text = readFileSync(corpus, 'utf8')
// Words alone: tables, badges and other alphabets would make texts of very unlike lengths.
const words = text.match(/\b[A-Za-z]{1,12}[.,]?(?=\s)/g) ?? []
let at = 0
const take = (count: number): string => {
  at = (at + count + 1) % (words.length - 1000)
  return words.slice(at, at + count).join(' ')
}

const rows = (name: string, count: number, row: () => object): string => {
  const file = join(directory, `${name}.jsonl`)
  writeFileSync(file, Array.from({ length: count }, () => `${JSON.stringify(row())}\n`).join(''))
  return file
}
const task = (name: string, files: Record<string, string>, rest: string): void => {
  const list = Object.entries(files).map(([split, file]) => `    ${split}: ${file}\n`)
  writeFileSync(
    join(directory, `${name}.yaml`),
    `task: ${name}\ndataset_path: json\ndataset_kwargs:\n  data_files:\n${list.join('')}test_split: test\n${rest}`,
  )
}

const choice = (count: number) => () => ({ text: take(60), endings: [0, 1, 2, 3].map(() => take(count)), gold: at % 4 })
task(
  'endings',
  { test: rows('endings', 24, choice(12)) },
  `output_type: multiple_choice
doc_to_text: "{{text}}"
doc_to_choice: endings
doc_to_target: gold
metric_list:
  - metric: acc
  - metric: acc_norm
`,
)
const letters = choice(6)
task(
  'letters',
  { test: rows('letters', 24, letters), dev: rows('letters-dev', 5, letters) },
  `fewshot_split: dev
fewshot_config:
  sampler: first_n
num_fewshot: 5
output_type: multiple_choice
doc_to_text: "{{text}}\\nA. {{endings[0]}}\\nB. {{endings[1]}}\\nC. {{endings[2]}}\\nD. {{endings[3]}}\\nAnswer:"
doc_to_choice: ["A", "B", "C", "D"]
doc_to_target: gold
metric_list:
  - metric: acc
`,
)
task(
  'pages',
  { test: rows('pages', 3, () => ({ page: take(800) })) },
  `output_type: loglikelihood_rolling
doc_to_text: ""
doc_to_target: page
metric_list:
  - metric: bits_per_byte
`,
)
task(
  'writing',
  { test: rows('writing', 12, () => ({ text: take(60), answer: take(4) })) },
  `output_type: generate_until
doc_to_text: "{{text}}"
doc_to_target: "{{answer}}"
generation_kwargs:
  until: ["\\n\\n\\n\\n"]
  do_sample: false
  max_gen_toks: 32
metric_list:
  - metric: exact_match
`,
)
const { tokenizer } = await trainBpe([text.slice(0, 4e6)], {
  vocabSize: 8192,
  specialTokens: ['<|endoftext|>'],
  roles: { eos: '<|endoftext|>' },
})
await tokenizer.save(model)
