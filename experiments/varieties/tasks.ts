// The tasks: what is learnt from, what is asked, and the text that there is beside. Near copies of what is asked are not learnt from.
import { sideOf } from '../../src/data/split.ts'
import { withoutCopies } from '../setting/copies.ts'
import { type Row, readDslMl, readDslTl, readTweets, readXquad } from './data.ts'

/** Where the data is. */
export interface Places {
  tl?: string | undefined
  ml?: string | undefined
  tweets?: string | undefined
  xquad?: string | undefined
}

export interface Task {
  name: string
  labels: readonly string[]
  train: readonly Row[]
  /** `train`, with sentences that are good in both of two varieties; empty where that is no question. */
  withCommon: readonly Row[]
  held: readonly Row[]
  /** To adapt to. */
  texts: readonly string[]
  /** Sentences may have several labels. */
  isSeveral: boolean
}

/** `tl2-es`, `tl3-en`, `ml-es`, …, or `tweets`, of which each seed holds out another fifth, as it does of training sentences with `tune`. */
export async function taskOf(name: string, seed: number, places: Places, tune: boolean): Promise<Task> {
  if (name === 'tweets') {
    const rows = await readTweets(places.tweets!)
    const isTest = ({ text }: Row): boolean => sideOf(text, { fraction: 0.2, salt: `tweets ${seed}` }) === 'validation'
    const train = rows.filter((row) => !isTest(row))
    return {
      name,
      labels: ['cuban', 'other'],
      train,
      withCommon: [],
      held: withoutCopies(train, rows.filter(isTest)),
      texts: train.map(({ text }) => text),
      isSeveral: false,
    }
  }
  const [kind, language] = [name.slice(0, name.indexOf('-')), name.slice(name.indexOf('-') + 1).toUpperCase()]
  const isSeveral = kind === 'ml'
  const read = (side: 'train' | 'dev'): Row[] =>
    isSeveral ? readDslMl(places.ml!, language, side) : readDslTl(places.tl!, language, side)
  const all = withoutCopies(read('dev'), read('train'))
  const isTest = ({ text }: Row): boolean => sideOf(text, { fraction: 0.2, salt: `tune ${seed}` }) === 'validation'
  const known = tune ? all.filter((row) => !isTest(row)) : all
  const asked = tune ? withoutCopies(known, all.filter(isTest)) : read('dev')
  const isClear = (row: Row): boolean => kind !== 'tl2' || row.labels[0] !== language
  const [train, held] = [known.filter(isClear), asked.filter(isClear)]
  const beside =
    language !== 'ES'
      ? []
      : [
          ...(places.tweets === undefined ? [] : (await readTweets(places.tweets)).map(({ text }) => text)),
          ...(places.xquad === undefined ? [] : readXquad(places.xquad)),
        ]
  const labels = [...new Set(train.flatMap((row) => row.labels))].sort()
  const common = known.filter((row) => !isClear(row)).map(({ text }) => ({ text, labels }))
  const withCommon = common.length === 0 ? [] : [...train, ...common]
  return { name, labels, train, withCommon, held, texts: [...known.map(({ text }) => text), ...beside], isSeveral }
}
