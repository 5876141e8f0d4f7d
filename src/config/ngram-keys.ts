// The keys of a configuration that count where `model` is a classifier of character n-grams, which has no tokens, layers or gradient steps.

import type { Complain } from '../methods/fields.ts'

/** What `model: { model_type: ngrams }` may say more. */
export interface NgramModel {
  model_type: 'ngrams'
  /** Rows of the table as a power of two, 8 to 24. Default: by the number of labels, a file of some 512 KiB. */
  bits?: number
}

/** Of everything else only the default may stand in a configuration. */
const COUNTING = [
  'stage',
  'model',
  'dataset',
  'text_column',
  'label_column',
  'eval_dataset',
  'val_split',
  'max_bad_fraction',
  'num_train_epochs',
  'seed',
  'output_dir',
  'run_name',
  'threads',
  'device',
] as const

/** The model of a configuration, where it is one of n-grams. */
export function ngramModel({ model }: { model?: unknown }): NgramModel | undefined {
  const isIt =
    typeof model === 'object' && model !== null && (model as { model_type?: unknown }).model_type === 'ngrams'
  return isIt ? (model as NgramModel) : undefined
}

/** Says what a configuration of n-grams asks for that it has not; `defaultsFor` tells what keys may be where only the counting ones are given. */
export function checkNgrams<Config extends { model?: unknown; num_train_epochs: number }>(
  config: Config,
  defaultsFor: (given: Partial<Config>) => readonly Partial<Config>[],
  complain: Complain<keyof Config & string>,
): void {
  const { model_type: _, bits, ...others } = ngramModel(config)!
  const isCounting = (key: string): boolean => (COUNTING as readonly string[]).includes(key)
  const entries = Object.entries(config) as [keyof Config & string, unknown][]
  const defaults = defaultsFor(Object.fromEntries(entries.filter(([key]) => isCounting(key))) as Partial<Config>)
  const model = 'model' as keyof Config & string
  const odd = Object.keys(others)[0]
  if (odd !== undefined) complain(model, `expected model_type: ngrams and bits, got ${odd}. Leave it out`)
  if (bits !== undefined && !(Number.isInteger(bits) && bits >= 8 && bits <= 24))
    complain(model, `expected bits as an integer from 8 to 24, got ${JSON.stringify(bits)}`)
  for (const [key, value] of entries)
    if (!isCounting(key) && !defaults.some((each) => JSON.stringify(each[key]) === JSON.stringify(value)))
      complain(key, 'expected nothing with model_type: ngrams, where it counts for nothing. Leave it out')
  if (!Number.isInteger(config.num_train_epochs))
    complain('num_train_epochs', `expected a whole number with model_type: ngrams, got ${config.num_train_epochs}`)
}
