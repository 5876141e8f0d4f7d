// The tasks that can be asked for by name: those that need no data, and definitions for data sets in the forms in which they are published,
// whose files the user has (`--data DIR`).

import type { TaskFile } from '../read-task.ts'
import { consistency, diversity, toxicity } from './continuations/tasks.ts'
import { crowsPairs } from './crows-pairs.ts'
import { mbbq } from './mbbq/mbbq.ts'
import { minimalPairs } from './minimal-pairs.ts'
import { perplexity } from './perplexity.ts'
import { arithmetic, copying } from './probes.ts'
import { angryTweets, arc, blimp, hellaswag, mmlu, xquad } from './published.ts'
import { scala } from './scala.ts'
import { stereoset } from './stereoset.ts'
import { style } from './style/style.ts'
import type { SuiteOptions } from './suite-options.ts'

type MakeTask = (options: SuiteOptions) => TaskFile | Promise<TaskFile>

/** By name. */
export const BUILT_IN: ReadonlyMap<string, MakeTask> = new Map<string, MakeTask>([
  ['arithmetic', () => arithmetic()],
  ['copying', () => copying()],
  ['minimal_pairs', () => minimalPairs()],
  ['perplexity', ({ data }) => perplexity(data)],
  ['scala', ({ data }) => scala(data)],
  ['blimp', ({ data }) => blimp(data)],
  ['mmlu', ({ data }) => mmlu(data)],
  ['arc_easy', () => arc('arc_easy', 'ARC-Easy')],
  ['arc_challenge', () => arc('arc_challenge', 'ARC-Challenge')],
  ['hellaswag', () => hellaswag()],
  ['angry_tweets', () => angryTweets()],
  ['xquad', ({ data }) => xquad(data)],
  ['crows_pairs', crowsPairs],
  ['stereoset', stereoset],
  ['mbbq', mbbq],
  ['toxicity', toxicity],
  ['consistency', consistency],
  ['diversity', diversity],
  ['style', style],
])
