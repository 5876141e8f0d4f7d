// Options of the commands that fit and measure gates. Data only, so that `--help` loads no engine.

/** Questions, labels and how probes are fitted. */
export const GATE_OPTIONS = {
  records: {
    kind: 'text',
    value: 'FILE',
    summary: 'answers with and without documents (JSONL): what it lacks of --data is asked and added',
    required: true,
  },
  data: {
    kind: 'list',
    value: 'PATH',
    summary: 'questions with `gold` answers; names of PopQA and RetrievalQA are known, too',
  },
  index: { kind: 'text', value: 'DIR', summary: 'an index of anneal index build, for questions without `passages`' },
  k: {
    kind: 'integer',
    value: 'N',
    summary: 'documents before a question (default 1, or as the records have it)',
    min: 1,
  },
  shots: { kind: 'flag', summary: 'before each question one with its answer of each other relation' },
  label: {
    kind: 'choice',
    choices: ['better', 'parametric-wrong'],
    summary: 'retrieval is wanted where it mends the answer, or wherever the answer without is wrong',
    default: 'better',
  },
  epochs: { kind: 'integer', value: 'N', summary: 'passes over the questions', default: 50, min: 1 },
  'learning-rate': { kind: 'number', value: 'LR', summary: 'Adam’s', default: 1e-3, min: 0 },
  seed: { kind: 'integer', value: 'N', summary: 'of the split and the start', default: 0, min: 0 },
} as const
