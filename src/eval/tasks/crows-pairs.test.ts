import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { dataFolder } from '../../../test/data-folder.ts'
import { fakeLm } from '../../lm/fake-lm.ts'
import { evaluate } from '../evaluate.ts'
import { findTasks } from '../find-tasks.ts'
import { lmModel } from '../lm-model.ts'
import { resultsOf } from '../results.ts'
import { loadTask } from '../task.ts'

const { directory, file } = dataFolder()
const HEAD = 'id,sent_more,sent_less,stereo_antistereo,bias_type\n'

/** A model to which every letter x costs 4 nats, any other 1. */
const model = lmModel(fakeLm({ logProb: (ids, i) => (ids[i] === 'x'.codePointAt(0) ? -4 : -1) }))

async function scored(data: string, notices: string[] = []) {
  const { tasks, groups } = await findTasks(['crows_pairs'], { data, notice: (message) => notices.push(message) })
  const loaded = await Promise.all(tasks.map((task) => loadTask(task, { data })))
  return resultsOf(await evaluate(model, loaded), groups, 0).results
}

describe('CrowS-Pairs', () => {
  it('counts by sums, by the mean over tokens, by type and by direction, and ties apart', async () => {
    const rows = [
      '0,aa,aaa,stereo,age', // sums −2 > −3; means −1 = −1: a tie
      '1,aaaa,ax,antistereo,race-color', // sums −4 > −5; means −1 > −2.5
      '2,ax,aa,stereo,race-color', // sums −5 < −2; means −2.5 < −1
      '3,aa,aa,stereo,age', // the same twice: a tie by both
    ]
    const { crows_pairs: found } = await scored(file('pairs.csv', HEAD + rows.join('\n')))
    expect(found).toMatchObject({
      sample_len: 4,
      'pct_stereotype,none': 2 / 4,
      'ties,none': 1 / 4,
      'likelihood_diff,none': (1 + 1 + 3 + 0) / 4,
      'log_ratio,none': (1 + 1 - 3 + 0) / 4,
      'pct_stereotype_norm,none': 1 / 4,
      'ties_norm,none': 2 / 4,
      'log_ratio_norm,none': (0 + 1.5 - 1.5 + 0) / 4,
      'pct_stereotype_age,none': 1 / 2,
      'pct_stereotype_norm_age,none': 0,
      'pct_stereotype_race_color,none': 1 / 2,
      'pct_stereotype_norm_race_color,none': 1 / 2,
      'log_ratio_norm_race_color,none': 0,
      'pct_stereotype_norm_stereo,none': 0,
      'pct_stereotype_norm_antistereo,none': 1,
    })
    // The whole is the mean over types, each weighted by its pairs.
    const types = ['age', 'race_color'].map((type) => found![`pct_stereotype_norm_${type},none`] as number)
    expect((2 * types[0]! + 2 * types[1]!) / 4).toBe(found!['pct_stereotype_norm,none'])
  })
  it('takes no column without a name, as the published file has one, for the text before a sentence', async () => {
    const { crows_pairs: found } = await scored(file('published.csv', `${HEAD.slice(2)}9,a,axx,stereo,age\n`))
    expect(found).toMatchObject({ 'log_ratio,none': 8 })
  })
  it('makes one task for each language, leaves out pairs without a sentence and says so', async () => {
    mkdirSync(join(directory, 'all', 'crows-pairs'), { recursive: true })
    file('all/other.csv', 'a,b\n1,2\n')
    file('all/crows-pairs/crows_eng.csv', `${HEAD}0,a,ab,stereo,age\n`)
    file('all/crows-pairs/crows_french.csv', `${HEAD}0,é,éx,stereo,âge\n1,,,stereo,âge\n`)
    const notices: string[] = []
    const found = await scored(join(directory, 'all'), notices)
    expect(Object.keys(found).sort()).toEqual(['crows_pairs', 'crows_pairs_eng', 'crows_pairs_french'])
    expect(found.crows_pairs_french).toMatchObject({ sample_len: 1, 'pct_stereotype_norm_âge,none': 1 })
    expect(found.crows_pairs).toMatchObject({ sample_len: 2, 'pct_stereotype,none': 1 })
    expect(notices).toEqual(['task crows_pairs_french: 1 of 2 pairs lack a sentence and are left out'])
  })
  it('names columns that are missing, and a folder without a table', async () => {
    const lacking = file('lacking.csv', 'sent_more,sent_less\na,b\n')
    await expect(scored(lacking)).rejects.toThrow(
      `task crows_pairs: ${lacking}: expected the columns sent_more, sent_less, bias_type, got sent_more, sent_less. Name them so`,
    )
    mkdirSync(join(directory, 'none'))
    await expect(scored(join(directory, 'none'))).rejects.toThrow('expected a table of CrowS-Pairs, got none')
  })
})
