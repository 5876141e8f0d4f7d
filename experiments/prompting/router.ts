// What a router by log-probability is worth: a small model answers first, and where it is less sure than a threshold a larger one is asked.
//   tsx experiments/prompting/router.ts --model DIR --stories FILE.json [--steps 600] [--questions 2400] [--seeds 3] [--out DIR]
// `--model` is a Llama of stories, FILE.json a list of stories. The small model is trained here on the first stories, with the large one's
// tokenizer; questions are the next token after a beginning of the last ones, right where it is the story's own. Prices are in proportion
// to the parameters. Each threshold is compared with asking one of the two at random at the same cost; intervals are a bootstrap over
// stories. Writes results.json and tables.md into DIR (default out/router).
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { saveDecoder } from '../../src/checkpoint/model-directory/save.ts'
import { stack } from '../../src/data/batches.ts'
import { order } from '../../src/data/order.ts'
import type { Lm } from '../../src/lm/lm.ts'
import { routeThreshold } from '../../src/prompting/base/index.ts'
import { localModel, type Model, route, trace } from '../../src/prompting/index.ts'
import { loadLm } from '../../src/run/load-lm.ts'
import { Tokenizer } from '../../src/text/tokenizer.ts'
import { machineFor, writeResults } from '../setting/results.ts'
import { pretrainSmall } from '../setting/small-llama.ts'
import { markdownTable } from '../setting/statistics.ts'
import { packed } from '../setting/texts.ts'

const { values } = parseArgs({
  options: {
    model: { type: 'string' },
    stories: { type: 'string' },
    steps: { type: 'string', default: '600' },
    questions: { type: 'string', default: '2400' },
    seeds: { type: 'string', default: '3' },
    out: { type: 'string', default: 'out/router' },
  },
})
const SMALL = { layers: 1, hidden: 32, feedForward: 64, vocabulary: 512, pretrainSteps: Number(values.steps) }
const TEMPLATE = "{{- '<s>' + messages[0].content }}"
const HELD_OUT = 300
const SHARES = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
const say = (line: string): void => console.error(line)

/** A beginning of a story, and the token that comes next. */
interface Question {
  story: number
  text: string
  next: number
}

/** What a model said: whether it was right, how sure it was, and what it cost. */
interface Answer {
  isRight: boolean
  score: number
  cost: number
}

function questionsOf(stories: readonly string[], lm: Lm, tokenizer: Tokenizer, count: number): Question[] {
  const each = Math.ceil(count / stories.length)
  return stories.flatMap((story, s) => {
    const ids = tokenizer.encode(story)
    const made: Question[] = []
    for (let i = 0; i < each; i++) {
      const length = 16 + Math.floor(((Math.min(ids.length, 480) - 20) * (i + 0.5)) / each)
      if (length >= ids.length) continue
      const text = tokenizer.decode(ids.slice(1, length))
      // What the model reads has to be the story's own tokens.
      const again = lm.encode({ messages: [{ role: 'user', content: text }] })
      if (again.length === length && again.every((id, k) => id === ids[k]))
        made.push({ story: s, text, next: ids[length]! })
    }
    return made
  })
}

async function answersOf(model: Model, questions: readonly Question[]): Promise<Answer[]> {
  const { calls } = await trace(async () => {
    const waiting = [...questions]
    const work = async (): Promise<void> => {
      for (let one = waiting.shift(); one !== undefined; one = waiting.shift())
        await model.ask(one.text, { maxTokens: 1, temperature: 0, logprobs: true })
    }
    await Promise.all(Array.from({ length: 8 }, work))
  })
  const byText = new Map(calls.map((call) => [String(call.call.messages[0]!.content), call]))
  return questions.map(({ text, next }) => {
    const { answer, cost } = byText.get(text)!
    return { isRight: answer!.tokenIds[0] === next, score: answer!.tokens![0]!.logprob, cost: cost! }
  })
}

interface Pair {
  question: Question
  small: Answer
  large: Answer
}

const mean = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0) / numbers.length

/** Accuracy and cost where the small answer is taken of the share `kept` with the highest score; `isAsked`: it is paid for in any case. */
function routed(pairs: readonly Pair[], scoreOf: (pair: Pair) => number, kept: number, isAsked: boolean) {
  const sorted = [...pairs].sort((a, b) => scoreOf(b) - scoreOf(a))
  const count = Math.round(kept * sorted.length)
  const taken = sorted.map((pair, i) => (i < count ? pair.small : pair.large))
  const costs = sorted.map(({ small, large }, i) => (i < count ? small.cost : large.cost + (isAsked ? small.cost : 0)))
  return { accuracy: mean(taken.map(({ isRight }) => Number(isRight))), cost: mean(costs) }
}

/** What asking one of the two at random gives at a cost, no more than the large one gives. */
function atRandom(pairs: readonly Pair[], cost: number): number {
  const [small, large] = (['small', 'large'] as const).map((which) => ({
    accuracy: mean(pairs.map((pair) => Number(pair[which].isRight))),
    cost: mean(pairs.map((pair) => pair[which].cost)),
  })) as [{ accuracy: number; cost: number }, { accuracy: number; cost: number }]
  const share = Math.min(1, Math.max(0, (cost - small.cost) / (large.cost - small.cost)))
  return small.accuracy + share * (large.accuracy - small.accuracy)
}

/** The gain over random at equal cost, with a 95 % interval from 1,000 draws of stories. */
function gainOf(
  pairs: readonly Pair[],
  scoreOf: (pair: Pair) => number,
  kept: number,
  isAsked: boolean,
  random: () => number,
) {
  const gain = (some: readonly Pair[]): number => {
    const { accuracy, cost } = routed(some, scoreOf, kept, isAsked)
    return accuracy - atRandom(some, cost)
  }
  const byStory = new Map<number, Pair[]>()
  for (const pair of pairs) byStory.set(pair.question.story, [...(byStory.get(pair.question.story) ?? []), pair])
  const stories = [...byStory.values()]
  const draws = Array.from({ length: 1000 }, () =>
    gain(stories.flatMap(() => stories[Math.floor(random() * stories.length)]!)),
  ).sort((a, b) => a - b)
  return { gain: gain(pairs), low: draws[25]!, high: draws[974]! }
}

function generator(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}

const folder = mkdtempSync(join(tmpdir(), 'router-'))
try {
  const stories = JSON.parse(readFileSync(values.stories!, 'utf8')) as string[]
  const [learnt, asked] = [stories.slice(0, -HELD_OUT), stories.slice(-HELD_OUT)]
  const directories = { large: join(folder, 'large'), small: join(folder, 'small') }
  cpSync(values.model!, directories.large, { recursive: true })
  writeFileSync(join(directories.large, 'chat_template.jinja'), TEMPLATE)
  const tokenizer = await Tokenizer.fromDirectory(values.model!)
  const large = await loadLm(directories.large)
  const questions = questionsOf(asked, large, tokenizer, Number(values.questions))
  say(`${questions.length} questions of ${asked.length} stories`)
  const largePrice = parametersOf(large.model)
  const largeAnswers = await answersOf(
    localModel(large, { name: 'large', cost: { input: largePrice, output: largePrice } }),
    questions,
  )
  const dataset = await packed(learnt, tokenizer, 128)
  const seeds = []
  for (let seed = 1; seed <= Number(values.seeds); seed++) {
    const shuffled = order(dataset.length, seed)
    const rows = 8
    const batchesPerEpoch = Math.floor(dataset.length / rows)
    const at = (index: number) =>
      stack(
        Array.from({ length: rows }, (_, i) =>
          dataset.get(shuffled(Math.floor(index / batchesPerEpoch), (index % batchesPerEpoch) * rows + i)),
        ),
      )
    const decoder = await pretrainSmall(SMALL, tokenizer.vocabSize, { batchesPerEpoch, at }, seed, say)
    const directory = `${directories.small}-${seed}`
    mkdirSync(directory)
    cpSync(directories.large, directory, { recursive: true })
    saveDecoder(decoder, directory)
    decoder.free()
    const small = await loadLm(directory)
    const price = parametersOf(small.model)
    const cheap = localModel(small, { name: 'small', cost: { input: price, output: price } })
    const smallAnswers = await answersOf(cheap, questions)
    const pairs = questions.map((question, i): Pair => ({ question, small: smallAnswers[i]!, large: largeAnswers[i]! }))
    const [calibration, test] = [
      pairs.filter(({ question }) => question.story % 2 === 0),
      pairs.filter(({ question }) => question.story % 2 === 1),
    ]
    const random = generator(seed)
    const arms = [
      { name: 'log-probability of the answer', scoreOf: ({ small: one }: Pair) => one.score, isAsked: true },
      {
        name: 'shorter questions to the small model',
        scoreOf: ({ question }: Pair) => -question.text.length,
        isAsked: false,
      },
      { name: 'a coin, both paid', scoreOf: () => random(), isAsked: true },
    ].map(({ name, scoreOf, isAsked }) => ({
      name,
      points: SHARES.map((kept) => {
        const scores = new Map(test.map((pair) => [pair, scoreOf(pair)]))
        const score = (pair: Pair): number => scores.get(pair)!
        return { kept, ...routed(test, score, kept, isAsked), ...gainOf(test, score, kept, isAsked, random) }
      }),
    }))
    // A small answer counts as wrong here where it lost something: the large one would have been right.
    const lost = ({ small: one, large: other }: Pair): boolean => other.isRight && !one.isRight
    const calibrated = [0.05, 0.1, 0.2].map((wrong) => {
      const threshold = routeThreshold(
        calibration.map((pair) => ({ score: pair.small.score, isRight: !lost(pair) })),
        { wrong },
      )
      const taken = test.filter((pair) => pair.small.score >= threshold.above)
      return {
        ...threshold,
        wrong,
        lostInCalibration: threshold.wrong,
        test: {
          kept: taken.length / test.length,
          wrong: taken.length === 0 ? null : mean(taken.map((pair) => Number(lost(pair)))),
        },
      }
    })
    // The router itself, on the first questions: its answers and its cost are those that the tables compute.
    const above = calibrated.at(-1)!.above
    const expensive = localModel(large, { name: 'large', cost: { input: largePrice, output: largePrice } })
    const some = test.slice(0, 100)
    const { calls } = await trace(async () => {
      const model = route([cheap, expensive], { above })
      for (const { question } of some) await model.ask(question.text, { maxTokens: 1, temperature: 0 })
    })
    const cost = calls.reduce((sum, call) => sum + (call.cost ?? 0), 0) / some.length
    const answers = calls.filter(({ parent }) => parent === undefined)
    const agrees = answers.filter(({ answer }, i) => {
      const { small: one, large: other, question } = some[i]!
      return (answer!.tokenIds[0] === question.next) === (one.score >= above ? one : other).isRight
    }).length
    const computed = mean(some.map(({ small: one, large: other }) => one.cost + (one.score >= above ? 0 : other.cost)))
    small.free()
    const accuracy = (which: 'small' | 'large'): number => mean(test.map((pair) => Number(pair[which].isRight)))
    say(
      `seed ${seed}: small ${accuracy('small').toFixed(3)}, large ${accuracy('large').toFixed(3)}; router agrees ${agrees}/${some.length}`,
    )
    seeds.push({
      seed,
      questions: { calibration: calibration.length, test: test.length },
      small: { accuracy: accuracy('small'), price },
      large: { accuracy: accuracy('large'), price: largePrice },
      arms,
      calibrated,
      router: { above, questions: some.length, agrees, cost, computed },
    })
  }
  large.free()
  const signed = (value: number): string => `${value >= 0 ? '+' : '−'}${Math.abs(value * 100).toFixed(1)}`
  const tables = seeds.flatMap(({ seed, arms, small, large: big, calibrated }) => [
    markdownTable(
      `Seed ${seed}: small ${(small.accuracy * 100).toFixed(1)} % right at ${small.price} parameters, large ${(big.accuracy * 100).toFixed(1)} % at ${big.price}; gain over random mixing at equal cost, in points`,
      ['router', ...SHARES.map((kept) => `${kept * 100} % small`)],
      arms.map(({ name, points }) => [
        name,
        ...points.map(({ gain, low, high }) => `${signed(gain)} [${signed(low)}, ${signed(high)}]`),
      ]),
    ),
    markdownTable(
      'Calibrated thresholds: answers lost among those that the small model keeps',
      ['bound', 'threshold', 'kept, test', 'lost, test'],
      calibrated.map(({ wrong, above, test }) => [
        `${wrong * 100} %`,
        above.toFixed(3),
        `${(test.kept * 100).toFixed(1)} %`,
        test.wrong === null ? '—' : `${(test.wrong * 100).toFixed(1)} %`,
      ]),
    ),
  ])
  writeResults(values.out!, { machine: machineFor('cpu'), seeds }, `${tables.join('\n\n')}\n`)
} finally {
  rmSync(folder, { recursive: true, force: true })
}

function parametersOf(model: { parameters(): Iterable<[string, { shape: readonly number[] }]> }): number {
  let count = 0
  for (const [, { shape }] of model.parameters()) count += shape.reduce((a, b) => a * b, 1)
  return count
}
