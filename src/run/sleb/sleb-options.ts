// The options of `anneal sleb`. Data only, so that `--help` loads no engine.
export const SLEB_OPTIONS = {
  model: { kind: 'text', value: 'DIR', summary: 'model directory (Hugging Face layout)', required: true },
  data: {
    kind: 'list',
    value: 'PATH',
    summary: 'calibration text: a file or a folder',
    required: true,
  },
  out: { kind: 'text', value: 'DIR', summary: 'folder of the smaller model', required: true },
  remove: {
    kind: 'integer',
    value: 'N',
    summary: 'how many blocks (or sub-layers) to remove; 0 copies the model',
    min: 0,
  },
  ratio: { kind: 'number', value: 'R', summary: 'share to remove in place of a number, rounded up', min: 0 },
  granularity: {
    kind: 'choice',
    choices: ['block', 'sublayer'],
    default: 'block',
    summary: 'whole blocks, or attention and MLP apart (then the result works in Anneal only)',
  },
  search: {
    kind: 'choice',
    choices: ['greedy', 'one-shot', 'cosine'],
    default: 'greedy',
    summary: 'one by one by the loss, all at once by the loss, or all at once by how little a block changes its input',
  },
  metric: {
    kind: 'choice',
    choices: ['ce', 'kl'],
    default: 'ce',
    summary: 'loss on the text, or divergence from the whole model',
  },
  refine: {
    kind: 'choice',
    choices: ['none', 'swap'],
    default: 'none',
    summary: 'swap: exchange removed for kept ones afterwards while that helps',
  },
  'protect-first': { kind: 'integer', value: 'N', summary: 'blocks at the beginning that stay', min: 0, default: 1 },
  'protect-last': { kind: 'integer', value: 'N', summary: 'blocks at the end that stay', min: 0, default: 1 },
  samples: { kind: 'integer', value: 'N', summary: 'windows of text', min: 1, default: 16 },
  length: {
    kind: 'integer',
    value: 'T',
    summary: "tokens in a window; without it 2048, or the model's context",
    min: 2,
  },
  'batch-size': { kind: 'integer', value: 'B', summary: 'windows at once', min: 1, default: 1 },
  'text-column': { kind: 'text', value: 'NAME', summary: 'field that holds the text of a row', default: 'text' },
  seed: { kind: 'integer', value: 'S', summary: 'which windows are drawn', min: 0, default: 0 },
  journal: {
    kind: 'text',
    value: 'FILE',
    summary: 'where the search is kept until it is done; without it, beside --out',
  },
} as const
