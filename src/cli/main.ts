#!/usr/bin/env node
// `anneal <command>`: finds the command, loads only that one, parses its options, prints errors as one line.
// It imports nothing heavy, so that `anneal --help` answers at once.

import { existsSync, realpathSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { describeError, exitCodeOf, UsageError } from '../errors.ts'
import { didYouMean } from '../nearest.ts'
import { VERSION } from '../version.ts'
import { parseArguments } from './arguments.ts'
import { paintFor } from './colour.ts'
import type { Command } from './command.ts'
import { commandHelp, groupHelp, overviewHelp } from './help.ts'
import { watchOutput } from './lost-output.ts'
import { createOutput, type TextStream } from './output.ts'

interface CommandEntry {
  summary: string
  load: () => Promise<{ command: Command }>
}

/** Every command: name (one or two words) → its line in the overview and its module, loaded when used. */
export const COMMANDS: Readonly<Record<string, CommandEntry>> = {
  setup: { summary: 'find or fetch LibTorch and build the engine', load: () => import('./setup.ts') },
  doctor: { summary: 'say what was found for the engine and what is missing', load: () => import('./doctor.ts') },
  demo: {
    summary: 'train a small model from text in a few minutes, fine-tune it, and report',
    load: () => import('./demo.ts'),
  },
  pull: {
    summary: 'download a model, adapter or dataset from the Hugging Face hub, by name',
    load: () => import('./pull.ts'),
  },
  push: {
    summary: 'upload a model, adapter, GGUF file or dataset to the Hugging Face hub',
    load: () => import('./push.ts'),
  },
  'tokenizer train': {
    summary: 'train a byte-level BPE tokenizer on your text',
    load: () => import('./tokenizer-train.ts'),
  },
  toxicity: {
    summary: 'how well a scorer of toxicity does on labelled texts, in each language and about each group',
    load: () => import('./toxicity.ts'),
  },
  'language train': {
    summary: 'train an identifier of languages or varieties on your texts',
    load: () => import('./language-train.ts'),
  },
  'language identify': { summary: 'languages or varieties of texts', load: () => import('./language-identify.ts') },
  curate: {
    summary: 'from raw files to text worth learning: languages, quality, duplicates, a report',
    load: () => import('./curate.ts'),
  },
  'curate status': { summary: 'which shards of a curation are missing', load: () => import('./curate-status.ts') },
  'curate merge': {
    summary: 'join the shards of a curation: duplicates across them, files, report',
    load: () => import('./curate-merge.ts'),
  },
  'tokenizer extend': {
    summary: "add tokens of your language to a model's vocabulary",
    load: () => import('./tokenizer-extend.ts'),
  },
  'tokenizer fertility': {
    summary: 'tokens a word, and the share of words that are cut, of tokenizers on your texts',
    load: () => import('./tokenizer-fertility.ts'),
  },
  train: { summary: 'train a model as a YAML file says', load: () => import('./train.ts') },
  sweep: {
    summary: 'train one configuration along axes (rank, epochs, base, seed), evaluate and compare',
    load: () => import('./sweep.ts'),
  },
  transfer: {
    summary: 'what tuning in one language carried over to others, and what that goes with',
    load: () => import('./transfer.ts'),
  },
  prune: { summary: 'remove neurons and heads from a model', load: () => import('./prune.ts') },
  sleb: { summary: 'remove the blocks that a model can do without', load: () => import('./sleb.ts') },
  quantize: { summary: 'store the matrices of a model in 2, 3, 4 or 8 bits', load: () => import('./quantize.ts') },
  qpruner: { summary: 'prune, quantize and recover a model, as a YAML file says', load: () => import('./qpruner.ts') },
  sande: {
    summary: 'take a backdoor out of a chat model, and measure it before and after',
    load: () => import('./sande.ts'),
  },
  'sande audit': {
    summary: 'look for a backdoor in a chat model, with or without knowing what it says',
    load: () => import('./sande-audit.ts'),
  },
  'sande poison': {
    summary: 'plant a harmless backdoor in a copy of your data, to test audits and defences with',
    load: () => import('./sande-poison.ts'),
  },
  generate: { summary: 'continue a text', load: () => import('./generate.ts') },
  prompt: {
    summary: 'run a script of prompts: holes with types, conditions, branches and loops',
    load: () => import('./prompt.ts'),
  },
  chat: { summary: 'talk to a model', load: () => import('./chat.ts') },
  serve: {
    summary: 'serve a model over HTTP, for clients of the OpenAI API',
    load: () => import('./serve.ts'),
  },
  trace: {
    summary: 'what a program asked its models: read it, export it, make the calls again',
    load: () => import('./trace.ts'),
  },
  service: {
    summary: 'run a service from a file, or give its services as tools over MCP',
    load: () => import('./service.ts'),
  },
  score: { summary: 'log-probabilities, loss and perplexity of a text', load: () => import('./score.ts') },
  classify: { summary: 'labels of texts by a classifier', load: () => import('./classify.ts') },
  eval: {
    summary: 'how a model does on tasks, in the numbers and files of lm-evaluation-harness',
    load: () => import('./eval.ts'),
  },
  'eval compare': {
    summary: 'what the difference between two evaluations is worth, document by document',
    load: () => import('./eval-compare.ts'),
  },
  'eval rescore': {
    summary: 'score stored samples again with other metrics or filters, and join shards',
    load: () => import('./eval-rescore.ts'),
  },
  synth: {
    summary: 'let a teacher make rows of seeds, by a recipe, and go on where it was stopped',
    load: () => import('./synth.ts'),
  },
  'index build': {
    summary: 'build an index of documents for search by words, and by vectors of a model',
    load: () => import('./index-build.ts'),
  },
  'index add': {
    summary: 'add documents to an index; those of known ids take the place of the old ones',
    load: () => import('./index-add.ts'),
  },
  'index search': {
    summary: 'search an index by words, by vectors or by both',
    load: () => import('./index-search.ts'),
  },
  'gate fit': {
    summary: 'fit a probe that tells from a question whether documents are needed',
    load: () => import('./gate-fit.ts'),
  },
  'gate sweep': {
    summary: 'measure every gate of retrieval on the same questions',
    load: () => import('./gate-sweep.ts'),
  },
  'gate report': {
    summary: 'print the figures of a sweep and make its page again',
    load: () => import('./gate-report.ts'),
  },
  'index info': { summary: 'what an index has in it and how it was made', load: () => import('./index-info.ts') },
  dynamics: {
    summary: 'how a run moved its model: weights, tokens and scores of every checkpoint',
    load: () => import('./dynamics.ts'),
  },
  datamap: {
    summary: 'map the examples of a classification run: easy, ambiguous, likely wrong, likely common',
    load: () => import('./datamap.ts'),
  },
  'datamap crossfit': {
    summary: 'map the data by classifiers that did not learn from what they judge: one for each fold',
    load: () => import('./datamap-crossfit.ts'),
  },
  'datamap select': {
    summary: 'write a subset of the examples of a run, by where they are on its map or by their ids',
    load: () => import('./datamap-select.ts'),
  },
  'datamap queue': {
    summary: 'write a queue for annotation: likely errors or common examples of a run, the most telling first',
    load: () => import('./datamap-queue.ts'),
  },
  'datamap apply': {
    summary: 'write the data of a run with the decisions of annotation queues in it',
    load: () => import('./datamap-apply.ts'),
  },
  export: { summary: 'write a model as GGUF or as a Hugging Face directory', load: () => import('./export.ts') },
  check: { summary: 'find faults in the files of a model or adapter', load: () => import('./check.ts') },
  methods: { summary: 'list the methods that Anneal implements', load: () => import('./methods.ts') },
  schema: { summary: 'print the JSON Schema of a configuration', load: () => import('./schema.ts') },
}

/** The process around a run; tests pass streams of their own. */
export interface Streams {
  stdout: TextStream
  stderr: TextStream
}

/** Runs one command line (without `node` and the script) and returns the exit code. Never throws. */
export async function main(words: readonly string[], streams: Streams = process): Promise<number> {
  try {
    return await dispatch(words, streams)
  } catch (error) {
    streams.stderr.write(`${describeError(error)}\n`)
    if (isDebug(words) && error instanceof Error) streams.stderr.write(`${stacks(error)}\n`)
    return exitCodeOf(error)
  }
}

async function dispatch(words: readonly string[], { stdout, stderr }: Streams): Promise<number> {
  // Options common to all commands may also stand before the command's name.
  const start = words.findIndex((word) => !word.startsWith('-'))
  // `anneal help train`, as in git and npm.
  if (words[start] === 'help') return dispatch([...words.slice(start + 1), '--help'], { stdout, stderr })
  const before = start < 0 ? words : words.slice(0, start)
  const strange = before.find((word) => !['--help', '-h', '--version', '-V', '--debug', '--json'].includes(word))
  if (strange !== undefined) {
    throw new UsageError(
      `unknown option '${strange}'.${didYouMean(strange, ['help', 'version', 'debug', 'json'], '--')}`,
    )
  }
  if (before.includes('--version') || before.includes('-V')) {
    stdout.write(`${VERSION}\n`)
    return 0
  }
  const overview = overviewHelp(summaries(''), paintFor(stdout))
  if (start < 0) {
    const isAsked = before.includes('--help') || before.includes('-h')
    ;(isAsked ? stdout : stderr).write(overview)
    return isAsked ? 0 : 2
  }
  const pair = words.slice(start, start + 2).join(' ')
  const name = Object.hasOwn(COMMANDS, pair) ? pair : words[start]!
  const own = [...before, ...words.slice(start + name.split(' ').length)]
  const inside = summaries(`${name} `)
  if (!Object.hasOwn(COMMANDS, name) && inside.length > 0 && own.some((word) => word === '--help' || word === '-h')) {
    stdout.write(groupHelp(name, inside, paintFor(stdout)))
    return 0
  }
  if (!Object.hasOwn(COMMANDS, name)) throw unknownCommand(name, words[start + 1])

  const { command } = await COMMANDS[name]!.load()
  const { json, help, ...invocation } = parseArguments(command, own)
  if (help) {
    const paint = paintFor(stdout)
    const own = await command.help?.({ ...invocation, output: createOutput(json, stdout, stderr) }, paint)
    stdout.write(own ?? commandHelp(name, command, paint))
    return 0
  }
  return (await command.run({ ...invocation, output: createOutput(json, stdout, stderr) })) ?? 0
}

function summaries(start: string): { name: string; summary: string }[] {
  const found = Object.entries(COMMANDS).filter(([name]) => name.startsWith(start))
  return found.map(([name, { summary }]) => ({ name, summary }))
}

function unknownCommand(name: string, next: string | undefined): UsageError {
  const names = Object.keys(COMMANDS)
  const inside = names.filter((known) => known.startsWith(`${name} `)).map((known) => known.slice(name.length + 1))
  if (inside.length > 0) {
    const got = next === undefined || next.startsWith('-') ? 'nothing' : `'${next}'`
    return new UsageError(`anneal ${name}: expected ${inside.join(' or ')} after it, got ${got}`)
  }
  const hint = didYouMean(name, names)
  return new UsageError(`unknown command '${name}'.${hint || ' Run `anneal --help` to see the commands'}`)
}

function isDebug(words: readonly string[]): boolean {
  const end = words.indexOf('--')
  return (end < 0 ? words : words.slice(0, end)).includes('--debug')
}

function stacks(error: Error): string {
  const own = error.stack ?? ''
  return error.cause instanceof Error ? `${own}\ncaused by ${stacks(error.cause)}` : own
}

// npm links `node_modules/.bin/anneal` to this file, so compare what the script's path points to.
function isEntryPoint(): boolean {
  const script = process.argv[1]
  return script !== undefined && existsSync(script) && import.meta.url === pathToFileURL(realpathSync(script)).href
}

if (isEntryPoint()) {
  watchOutput()
  process.exitCode = await main(process.argv.slice(2))
}
