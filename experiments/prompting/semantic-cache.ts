// How often a semantic cache saves a call, and how often it is wrong: thresholds are calibrated on one half of the clusters of questions.txt and
// tried on the other, so that no cluster is on both sides.
//
//   node --import tsx experiments/prompting/semantic-cache.ts [--model DIRECTORY] > experiments/prompting/results/semantic-cache.json

import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { pairSimilarities, rateOf } from '../../src/prompting/base/calibrate.ts'
import { type Embed, unitVectors } from '../../src/prompting/base/embed.ts'
import { calibrate, lexicalEmbedder, type QuestionPair } from '../../src/prompting/base/index.ts'
import { ALL_FACTS, QUESTION_FACTS, type QuestionFact } from '../../src/prompting/base/question-facts.ts'

const { values } = parseArgs({ options: { model: { type: 'string' } } })
const file = new URL('questions.txt', import.meta.url)

interface Cluster {
  same: string[]
  misses: string[]
}

const clusters: Cluster[] = readFileSync(file, 'utf8')
  .split(/\n\s*\n/)
  .map((block) => block.split('\n').filter((line) => line !== '' && !line.startsWith('#')))
  .filter((lines) => lines.length > 0)
  .map((lines) => ({
    same: lines.filter((line) => !line.startsWith('!')),
    misses: lines.filter((line) => line.startsWith('!')).map((line) => line.slice(1)),
  }))

/** Pairs of a half: paraphrases, near misses, and questions of different clusters. */
function pairsOf(half: readonly Cluster[]): { near: QuestionPair[]; far: QuestionPair[]; same: QuestionPair[] } {
  const same: QuestionPair[] = []
  const near: QuestionPair[] = []
  const far: QuestionPair[] = []
  for (const [i, cluster] of half.entries()) {
    for (const [j, a] of cluster.same.entries()) {
      for (const b of cluster.same.slice(j + 1)) same.push({ a, b, same: true })
      for (const b of cluster.misses) near.push({ a, b, same: false })
      for (const other of half.slice(i + 1)) for (const b of other.same) far.push({ a, b, same: false })
    }
  }
  return { near, far, same }
}

const halves = [0, 1].map((half) => clusters.filter((_, i) => i % 2 === half))
const [tune, test] = halves.map(pairsOf) as [ReturnType<typeof pairsOf>, ReturnType<typeof pairsOf>]

/** Streams of questions as a cache meets them: every paraphrase and near miss of the half, one after another, by cluster. */
async function streamed(embed: Embed, threshold: number, exact: readonly QuestionFact[], half: readonly Cluster[]) {
  let [asked, hits, wrong] = [0, 0, 0]
  const known: { text: string; cluster: number; isMiss: boolean }[] = []
  const questions = half.flatMap(({ same, misses }, cluster) => [
    ...same.map((text) => ({ text, cluster, isMiss: false })),
    ...misses.map((text) => ({ text, cluster, isMiss: true })),
  ])
  for (const question of questions) {
    if (!question.isMiss) asked++
    const pairs = known.map(({ text }) => ({ a: question.text, b: text, same: true }))
    const scores = pairs.length === 0 ? [] : await pairSimilarities(embed, pairs, exact)
    const best = scores.indexOf(Math.max(...scores, Number.NEGATIVE_INFINITY))
    if (best >= 0 && scores[best]! >= threshold) {
      const found = known[best]!
      const isRight = found.cluster === question.cluster && !found.isMiss && !question.isMiss
      if (isRight) hits++
      else wrong++
    } else known.push(question)
  }
  return { questions: questions.length, paraphrases: asked, hits, wrong }
}

async function row(
  name: string,
  embed: Embed,
  exact: readonly QuestionFact[],
  falseHits: number,
  pairs: QuestionPair[],
) {
  try {
    const found = await calibrate(embed, [...pairs, ...tune.same], { falseHits, exact })
    const at = async (some: readonly QuestionPair[]) => {
      const scores = await pairSimilarities(embed, some, exact)
      return rateOf(scores.filter((score) => score >= found.threshold).length, some.length, 0.95)
    }
    return {
      name,
      falseHits,
      negatives: found.different.pairs,
      threshold: found.threshold,
      calibration: { different: found.different, same: found.same },
      test: { near: await at(test.near), far: await at(test.far), same: await at(test.same) },
      stream: await streamed(embed, found.threshold, exact, halves[1]!),
    }
  } catch (error) {
    return { name, falseHits, negatives: pairs.length, refused: (error as Error).message }
  }
}

/** Vectors that were made once. */
function remembered(embed: Embed): Embed {
  const known = new Map<string, Float32Array>()
  return async (texts) => {
    const fresh = texts.filter((text) => !known.has(text))
    for (const [i, vector] of (await unitVectors(embed, fresh)).entries()) known.set(fresh[i]!, vector)
    return texts.map((text) => known.get(text)!)
  }
}

const lexical = remembered(lexicalEmbedder())
const withTexts = remembered(lexicalEmbedder({ texts: halves[0]!.flatMap(({ same, misses }) => [...same, ...misses]) }))
const all = [...tune.near, ...tune.far]
const rows = [
  await row('lexical, facts equal', lexical, QUESTION_FACTS, 0.001, all),
  await row('lexical, facts and words equal', lexical, ALL_FACTS, 0.001, all),
  await row('lexical, words equal alone', lexical, ['words'], 0.001, all),
  await row('lexical, facts and words equal, near misses alone', lexical, ALL_FACTS, 0.01, tune.near),
  await row('lexical by document frequency, facts equal', withTexts, QUESTION_FACTS, 0.001, all),
  await row('lexical, no facts', lexical, [], 0.001, all),
  await row('lexical, facts equal, near misses alone', lexical, QUESTION_FACTS, 0.001, tune.near),
  await row('lexical, facts equal, near misses alone', lexical, QUESTION_FACTS, 0.01, tune.near),
  await row('lexical, no facts, near misses alone', lexical, [], 0.01, tune.near),
]
for (const fact of QUESTION_FACTS)
  rows.push(
    await row(
      `lexical, without ${fact}`,
      lexical,
      QUESTION_FACTS.filter((other) => other !== fact),
      0.001,
      all,
    ),
  )
if (values.model !== undefined) {
  const { loadLm } = await import('../../src/run/index.ts')
  const lm = await loadLm(values.model)
  const embed = remembered(async (texts) =>
    lm.embed!(
      texts.map((prompt) => ({ prompt })),
      { pooling: 'mean' },
    ),
  )
  rows.push(await row('stories260k, mean of its last layer, facts equal', embed, QUESTION_FACTS, 0.001, all))
  rows.push(await row('stories260k, no facts', embed, [], 0.001, all))
}
const counts = (pairs: ReturnType<typeof pairsOf>) =>
  Object.fromEntries(Object.entries(pairs).map(([name, list]) => [name, list.length]))
const made = {
  clusters: clusters.length,
  questions: clusters.reduce((sum, { same }) => sum + same.length, 0),
  nearMisses: clusters.reduce((sum, { misses }) => sum + misses.length, 0),
  calibration: counts(tune),
  test: counts(test),
  rows,
}
console.log(JSON.stringify(made, null, 2))
for (const one of rows)
  console.error(
    'refused' in one
      ? `${one.name} (≤ ${one.falseHits}): ${one.refused}`
      : `${one.name} (≤ ${one.falseHits}, ${one.negatives} negatives): from ${one.threshold}; calibration ${one.calibration.different.hits} wrong, bound ${one.calibration.different.upper.toExponential(2)}, hits ${one.calibration.same.rate.toFixed(2)}; test near ${one.test.near.hits}/${one.test.near.pairs} wrong, far ${one.test.far.hits}/${one.test.far.pairs}, hits ${one.test.same.rate.toFixed(2)}; stream ${JSON.stringify(one.stream)}`,
  )
