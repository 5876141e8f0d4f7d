// `anneal eval --model DIR|FILE|URL --tasks NAME|FILE.yaml[,…]`: how a model does on tasks, in lm-evaluation-harness's numbers and files.
import { UsageError } from '../errors.ts'
import { type Command, defineCommand } from './command.ts'
import { followEdit } from './follow-edit.ts'
import { MODEL_OPTIONS } from './lm-options.ts'

export const command: Command = defineCommand({
  summary: 'how a model does on tasks, in the numbers and files of lm-evaluation-harness',
  options: {
    model: {
      ...MODEL_OPTIONS.model,
      value: 'DIR|FILE|URL',
      summary: `${MODEL_OPTIONS.model.summary}; or the address of an OpenAI-compatible server`,
    },
    adapter: MODEL_OPTIONS.adapter,
    tasks: {
      kind: 'list',
      value: 'NAME|FILE',
      summary: 'built-in tasks and task files (.yaml as lm-eval reads them, .ts), separated by commas or one by one',
      required: true,
    },
    data: {
      kind: 'text',
      value: 'DIR',
      summary: 'files of data sets that are published elsewhere; nothing is downloaded',
    },
    scorer: {
      kind: 'text',
      value: 'FILE|DIR|URL',
      summary:
        'of the task toxicity: a list of words, a folder of lists (da.txt), a classifier, or the address of a service',
    },
    'toxic-label': {
      kind: 'list',
      value: 'LABEL',
      summary: 'label of that classifier that means toxic (default: the one called toxic)',
      library: 'toxicLabels',
    },
    'requests-per-second': { kind: 'number', summary: 'of that service, at most (default 1)', min: 0.001 },
    identifier: {
      kind: 'text',
      value: 'FILE',
      summary: "of toxicity, consistency and diversity: a file of anneal language train (default: eld, the library's)",
    },
    'english-words': {
      kind: 'text',
      value: 'FILE',
      summary: 'of consistency in scripts that are not Latin: a word in a line',
    },
    judge: {
      kind: 'text',
      value: 'DIR',
      summary:
        'of toxicity and diversity: a model that says how fluent continuations are; of style: how near answers are',
    },
    encoder: { kind: 'text', value: 'DIR', summary: 'of style: an encoder whose vectors BERTScore compares' },
    turns: {
      kind: 'text',
      value: 'all|last|N',
      summary: 'of style: which turns of a dialogue are answered (default: all)',
    },
    'num-fewshot': {
      kind: 'integer',
      value: 'N',
      summary: "examples before each question (default: the task's own)",
      min: 0,
    },
    limit: { kind: 'number', value: 'N', summary: 'the first N documents of each task, or a share below 1', min: 0 },
    'apply-chat-template': { kind: 'flag', summary: 'put questions as the turns of a chat' },
    'fewshot-as-multiturn': {
      kind: 'flag',
      summary:
        'in a chat, examples are turns of their own (default; --no-fewshot-as-multiturn puts them into one with the question)',
    },
    'system-instruction': { kind: 'text', value: 'TEXT', summary: 'stands before everything else' },
    'output-path': {
      kind: 'text',
      value: 'DIR',
      summary: 'write results, samples, answers and a page below it; a run that was stopped goes on',
    },
    'log-samples': {
      kind: 'flag',
      summary: 'write every sample too (default with --output-path; --no-log-samples leaves them out)',
    },
    bootstrap: {
      kind: 'integer',
      value: 'N',
      summary: 'draws for standard errors that are drawn; 0 for no standard errors',
      default: 100_000,
      min: 0,
    },
    euroeval: {
      kind: 'flag',
      summary: "EuroEval's ten rounds over drawn documents besides, with 1.96 standard errors",
    },
    seed: { kind: 'integer', value: 'S', summary: 'of few-shot examples and sampled answers', default: 1234, min: 0 },
    shard: { kind: 'text', value: 'I/N', summary: 'part I of N, from 1; `eval rescore` joins them' },
    'training-text': {
      kind: 'list',
      value: 'PATH',
      summary: 'look for the documents in this text, and tell the scores without them',
    },
    baseline: { kind: 'text', value: 'DIR', summary: 'results of another model: what the difference is worth' },
    'batch-size': { kind: 'integer', value: 'N', summary: 'sequences in one step at most (default: 16)', min: 1 },
    device: MODEL_OPTIONS.device,
    dtype: MODEL_OPTIONS.dtype,
    threads: MODEL_OPTIONS.threads,
  },
  examples: [
    'eval --model runs/tiny --tasks minimal_pairs,copying',
    'eval --model models/base --tasks my-task.yaml --num-fewshot 5 --output-path evals',
    'eval --model models/base --tasks toxicity,diversity --data prompts --scorer words.txt',
    'eval --model http://localhost:8000 --tasks mmlu --data data/mmlu --limit 100',
  ],
  run: async ({ options, output, given }) => {
    const { threads, shard, logSamples, fewshotAsMultiturn, tasks, toxicLabel, turns, ...rest } = options
    const names = tasks
      .flatMap((list) => list.split(','))
      .map((name) => name.trim())
      .filter((name) => name !== '')
    const { setThreads } = await import('../torch/index.ts')
    if (threads !== undefined) setThreads(threads)
    const { runEval } = await import('../run/eval/run-eval.ts')
    const asked = {
      ...rest,
      tasks: names,
      turns: turns === undefined ? undefined : parseTurns(turns),
      toxicLabels: toxicLabel.length > 0 ? toxicLabel : undefined,
      shard: shard === undefined ? undefined : parseShard(shard),
      fewshotAsMultiturn: given.has('fewshot-as-multiturn') ? fewshotAsMultiturn : undefined,
      logSamples: given.has('log-samples') ? logSamples : true,
    }
    const defined = Object.fromEntries(Object.entries(asked).filter(([, value]) => value !== undefined)) as typeof asked
    return followEdit((signal) => runEval(defined as Parameters<typeof runEval>[0], { signal }), output)
  },
})

/** `all`, `last`, or the first so many. */
function parseTurns(text: string): 'all' | 'last' | number {
  if (text === 'all' || text === 'last') return text
  if (/^[1-9]\d*$/.test(text)) return Number(text)
  throw new UsageError(`--turns: expected all, last, or a whole number of at least 1, got '${text}'`)
}

/** `2/4` → part 1 of 4. */
export function parseShard(text: string): { index: number; count: number } {
  const [, part, count] = /^(\d+)\/(\d+)$/.exec(text) ?? []
  const [i, n] = [Number(part), Number(count)]
  if (part !== undefined && i >= 1 && i <= n) return { index: i - 1, count: n }
  throw new UsageError(`--shard: expected a part of a number of parts such as 1/4, got '${text}'`)
}
