// What the results say, in sentences with their numbers: the card has them word for word.
import type { GateLabel } from '../../src/eval/gates/gate-record.ts'
import { statistics } from '../setting/statistics.ts'
import { TUNED_WORDS, type Went } from './measure.ts'
import type { RealResults } from './real.ts'
import type { ToyResults, ToySeed } from './run.ts'
import { differences, type Figure, overSeeds } from './toy-tables.ts'

const PROBE = 'MLP probe, layer 1'

/** One sentence or two each. */
export function toyFindings(results: ToyResults): string[] {
  const { seeds, size, shape } = results
  const went = (of: (one: Went) => number): string =>
    plusMinus(
      seeds.map((seed) => 100 * of(seed.went)),
      1,
    )
  const gate = (label: GateLabel, name: string, figure: Figure, times: number, digits: number): string =>
    plusMinus(
      seeds.map(({ gates }) => times * gates[label].find((one) => one.gate === name)![figure]!),
      digits,
    )
  const accuracy = (label: GateLabel, name: string): string => gate(label, name, 'accuracy', 100, 1)
  const compared = (label: GateLabel, other: string, probe: string = PROBE): string => {
    const areas = differences(results, label, [probe, other], 'auc')
    const answers = differences(results, label, [probe, other], 'accuracy').map((value) => 100 * value)
    return `AUC ${interval(areas, 3)}, accuracy ${interval(answers, 2)} points`
  }
  const both = (other: string, probe?: string): string =>
    `${compared('better', other, probe)} with label \`better\`; ${compared('parametric-wrong', other, probe)} with \`parametric-wrong\``
  const against = (label: GateLabel, other: string): string => {
    const of = (figure: Figure): string => verdict(differences(results, label, [PROBE, other], figure))
    return `with label \`${label}\` its AUC is ${of('auc')} and the accuracy of answers ${of('accuracy')}`
  }
  return [
    `${seeds.length} seeds, each a world of ${size.entities.toLocaleString('en')} entities, a tokenizer and a Llama of ${shape.layers} blocks of ${shape.hidden} (${millions(seeds.map(({ parameters }) => parameters))} million parameters), taught ${millions(seeds.map(({ tokens }) => tokens))} million tokens; ${seeds[0]!.sizes.test.toLocaleString('en')} questions of held-out entities each. Of all questions ${went(({ closed }) => closed)} % are right without a passage, ${went(({ retrieved }) => retrieved)} % with it, ${went(({ withRightDocument }) => withRightDocument)} % where the passage is right; the passage, wrong for ${100 * size.corrupted} % of the entities, spoils ${went(({ harmedOfKnown }) => harmedOfKnown)} % of what was known.`,
    `Does layer 1 beat the question alone? Beside a linear classifier of the question's tokens, C tuned on validation, ${against('better', TUNED_WORDS)}; ${against('parametric-wrong', TUNED_WORDS)} (95 %, Student). Differences: ${both(TUNED_WORDS)}. To the classifier with C = 1: ${both('words of the question')}.`,
    `Layer 0, the mean of the tokens' embeddings, beside the same tuned classifier: ${both(TUNED_WORDS, 'MLP probe, layer 0')}.`,
    `Layer 1 to layer 0: ${both('MLP probe, layer 0')}. To layer 1 of the same model before it was taught: ${both('MLP probe, layer 1 of an untrained model')}.`,
    `To the probability of the model's own answer: ${both('max-probability')}. To the true popularity: ${both('popularity')}.`,
    `Accuracy with label \`better\`: none ${accuracy('better', 'none')} %, full ${accuracy('better', 'full')} %, words ${accuracy('better', 'words of the question')} %, layer 1 ${accuracy('better', PROBE)} %, popularity ${accuracy('better', 'popularity')} %, probability of the answer ${accuracy('better', 'max-probability')} %, oracle ${accuracy('better', 'oracle, better')} %.`,
  ]
}

/** A few large worlds: what each seed gives, and no intervals. */
export function largeFindings(results: ToyResults): string[] {
  const { seeds, size, shape } = results
  const each = (of: (one: ToySeed) => number, digits: number): string =>
    seeds.map((seed) => of(seed).toFixed(digits)).join(' and ')
  const gate = (name: string, figure: 'auc' | 'accuracy', digits: number): string =>
    each(({ gates }) => {
      const value = gates['parametric-wrong'].find((one) => one.gate === name)![figure]!
      return figure === 'auc' ? value : 100 * value
    }, digits)
  const areas = [0, 1, shape.layers >> 1, shape.layers].map(
    (layer) => `${gate(`MLP probe, layer ${layer}`, 'auc', 3)} for layer ${layer}`,
  )
  // Without a passage a wrong answer is what `none` does not get right.
  const wrong = each(({ gates, sizes }) => {
    const none = gates['parametric-wrong'].find((one) => one.gate === 'none')!
    return Math.round((1 - none.accuracy) * sizes.test)
  }, 0)
  return [
    `${seeds.length} seeds, each a world of ${size.entities.toLocaleString('en')} entities and a Llama of ${shape.layers} blocks of ${shape.hidden} (${millions(seeds.map(({ parameters }) => parameters))} million parameters), taught ${millions(seeds.map(({ tokens }) => tokens))} million tokens: ${each(({ went }) => 100 * went.closed, 1)} % of ${seeds[0]!.went.questions.toLocaleString('en')} questions are right without a passage, ${each(({ went }) => 100 * went.withRightDocument, 1)} % where the passage is right; the passage spoils ${each(({ went }) => 100 * went.harmedOfKnown, 1)} % of what was known. Of ${seeds[0]!.sizes.test} questions of held-out entities, ${wrong} are wrong without a passage.`,
    `AUC with label \`parametric-wrong\`, seed by seed: ${gate('max-probability', 'auc', 3)} for the probability of the answer, ${gate('popularity', 'auc', 3)} for the true popularity, ${areas.join(', ')}, ${gate(TUNED_WORDS, 'auc', 3)} for the words, ${gate('MLP probe, layer 1 of an untrained model', 'auc', 3)} for layer 1 of an untrained model. Accuracy: none ${gate('none', 'accuracy', 1)} %, full ${gate('full', 'accuracy', 1)} %, layer 1 ${gate(PROBE, 'accuracy', 1)} %, probability of the answer ${gate('max-probability', 'accuracy', 1)} %, oracle ${gate('oracle, parametric-wrong', 'accuracy', 1)} %.`,
  ]
}

/** What BM25 finds, and how the model's questions went. */
export function realFindings({ found, model }: RealResults): string[] {
  const percent = (value: number): string => (100 * value).toFixed(1)
  const [popqa, retrievalQa] = found
  const index = `BM25 among ${popqa!.passages.toLocaleString('en')} passages has the subject's own first for ${percent(popqa!.own1)} % of ${popqa!.questions.toLocaleString('en')} questions of PopQA and among the first five for ${percent(popqa!.own5)} %; an answer stands in the first for ${percent(popqa!.answer1)} %. Of RetrievalQA's ${retrievalQa!.questions}, the first of ${retrievalQa!.passages.toLocaleString('en')} passages is one of the question's own for ${percent(retrievalQa!.own1)} %, and has an answer for ${percent(retrievalQa!.answer1)} %; of all own passages together ${percent(retrievalQa!.told)} % have one.`
  if (model === undefined) return [index]
  const { own, first, byRelation, splits } = model
  const mean = (gate: string, figure: 'auc' | 'aucWithinRelations'): string =>
    statistics(
      splits.flatMap(({ gates }) => gates['parametric-wrong'].find((one) => one.gate === gate)?.[figure] ?? []),
    ).mean.toFixed(3)
  const gates =
    splits.length === 0
      ? []
      : [
          `What gates tell of what this model knows is the relation: with \`parametric-wrong\`, over ${splits.length} splits of the same questions, AUC ${mean(PROBE, 'auc')} for layer 1, ${mean('words of the question', 'auc')} for the words and ${mean('relation', 'auc')} for the relation alone; within relations ${mean(PROBE, 'aucWithinRelations')} and ${mean('words of the question', 'aucWithinRelations')}.`,
        ]
  const most = byRelation.map(
    ({ relation, own, most }) =>
      `${relation}: closed-book ${percent(own.closed)} %, the most frequent answer of the taught half ${percent(most)} %, with its passage ${percent(own.retrieved)} %`,
  )
  return [
    index,
    `A Llama of ${millions([model.parameters])} million parameters, taught ${millions([model.tokens])} million tokens of passages, questions of half the entities, and reading, knows ${percent(own.closed)} % of ${own.questions} questions of the other half without a passage, ${percent(own.retrieved)} % with the subject's own and ${percent(first.retrieved)} % with BM25's first; an oracle over BM25's first has ${percent(first.closed + first.rescued)} %. By relation: ${most.join('; ')}.`,
    ...gates,
  ]
}

/** Mean ± half of Student's 95 % interval [seeds drawn]. */
function interval(values: readonly number[], digits: number): string {
  const { mean, half, low, high } = overSeeds(values)
  const signed = (value: number): string => `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(digits)}`
  return `${signed(mean)} ± ${half.toFixed(digits)} [${signed(low)}, ${signed(high)}]`
}

function plusMinus(values: readonly number[], digits: number): string {
  const { mean, halfWidth } = statistics(values)
  return `${mean.toFixed(digits)} ± ${halfWidth.toFixed(digits)}`
}

/** By Student's interval of the differences. */
function verdict(values: readonly number[]): string {
  const { mean, half } = overSeeds(values)
  return mean - half > 0 ? 'higher' : mean + half < 0 ? 'lower' : 'neither shown higher nor lower'
}

const millions = (values: readonly number[]): string => (statistics(values).mean / 1e6).toFixed(2)
