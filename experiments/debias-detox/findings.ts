// What the results say, in sentences with their numbers: the docs have them word for word.
import { statistics } from '../setting/statistics.ts'
import {
  CHOOSING,
  cellOf,
  correlations,
  type Figure,
  mitigation,
  overTargets,
  type Predictor,
  type Results,
  seedsIn,
} from './cells.ts'
import type { Measured } from './measure.ts'
import { type Arm, NONE } from './setting.ts'
import { TARGETS } from './world.ts'

/** One paragraph each. */
export function findings(results: Results): string[] {
  const seeds = seedsIn(results)
  const measured = (seed: number, arm: Arm | typeof NONE, language: (typeof TARGETS)[number]): Measured =>
    cellOf(results, seed, arm)!.measured[language]!
  const source = (arm: Arm, figure: Figure): string =>
    shown(
      seeds.map((seed) => mitigation(results, seed, arm, 'source', figure)),
      1,
    )
  const targets = (arm: Arm, figure: Figure): string =>
    shown(
      seeds.map((seed) => overTargets((language) => mitigation(results, seed, arm, language, figure))),
      1,
    )
  const onSource = (arm: Arm | typeof NONE, of: (one: Measured) => number, digits: number): string =>
    shown(
      seeds.map((seed) => of(measured(seed, arm, 'source'))),
      digits,
    )
  /** Over the targets that have a value. */
  const onTargets = (arm: Arm | typeof NONE, of: (one: Measured) => number | null, digits: number): string =>
    shown(
      seeds.map((seed) => statistics(TARGETS.flatMap((language) => of(measured(seed, arm, language)) ?? [])).mean),
      digits,
    )
  const times = (arm: Arm, digits: number): string =>
    shown(
      seeds.map((seed) =>
        Math.exp(
          overTargets((language) =>
            Math.log(measured(seed, arm, language).perplexity / measured(seed, NONE, language).perplexity),
          ),
        ),
      ),
      digits,
    )
  const timesSource = (arm: Arm): string =>
    shown(
      seeds.map((seed) => measured(seed, arm, 'source').perplexity / measured(seed, NONE, 'source').perplexity),
      2,
    )
  const atShare = (arm: Arm, share: number): string =>
    shown(
      seeds.map((seed) => {
        const { shares } = results.worlds.find((world) => world.seed === seed)!
        return mitigation(results, seed, arm, TARGETS.find((language) => shares[language] === share)!, 'toxicMass')
      }),
      0,
    )
  const rhos = (arm: Arm, predictor: Predictor): string =>
    correlations(results, arm, 'toxicMass', predictor)!
      .plain.perSeed.map(({ rho }) => minus(rho.toFixed(1)))
      .join(', ')
  const pooled = (arm: Arm, predictor: Predictor): string => {
    const { rho, p } = correlations(results, arm, 'toxicMass', predictor)!.plain.beside!
    return `${minus(rho.toFixed(2))}, p ${p.toFixed(3)}`
  }
  const margins = (arm: Arm): string => {
    const all = seeds.map((seed) => cellOf(results, seed, arm)!.margin!)
    return `${Math.min(...all).toFixed(0)} to ${Math.max(...all).toFixed(0)}`
  }
  const over = cellOf(results, CHOOSING, 'tox DPO', 1e-3)!
  const before = cellOf(results, CHOOSING, NONE)!
  return [
    `- **SFT for bias: on the source, and hardly beyond it.** Curated text changes the source's log-ratio by ${source('bias SFT curated', 'logRatio')} %, DPO by ${source('bias DPO', 'logRatio')} %, the control by ${source('bias SFT chosen', 'logRatio')} %; the targets' by ${targets('bias SFT curated', 'logRatio')}, ${targets('bias DPO', 'logRatio')} and ${targets('bias SFT chosen', 'logRatio')} %. The share of stereotypes is ${onSource(NONE, stereotype, 0)} % before and ${onSource('bias SFT curated', stereotype, 0)} % after on the source, ${onTargets('bias SFT curated', stereotype, 1)} % after on the targets: every pair is skewed, and a sign does not show by how much less.`,
    `- **DPO alone for toxicity: no, but it costs the targets least.** On the source the toxic mass changes by ${source('tox DPO', 'toxicMass')} % under DPO and by ${source('tox SFT curated', 'toxicMass')} % under curated text, by ${source('tox SFT chosen', 'toxicMass')} % under the control. On the targets by ${targets('tox DPO', 'toxicMass')}, ${targets('tox SFT curated', 'toxicMass')} and ${targets('tox SFT chosen', 'toxicMass')} %. What parts DPO from curated text is the cost on the targets: perplexity of neutral text × ${times('tox DPO', 3)} against × ${times('tox SFT curated', 2)}, and ${onTargets('tox DPO', consistency, 2)} of the continuations in their language against ${onTargets('tox SFT curated', consistency, 2)}. On the source it is the other way round: perplexity × ${timesSource('tox DPO')} against × ${timesSource('tox SFT curated')}. Rates were chosen on the source, where that cannot be seen.`,
    `- **Transfer follows the share: not shown.** ρ between share and mitigation of the toxic mass is ${rhos('tox DPO', 'share')} under DPO in the ${seeds.length} seeds and ${rhos('tox SFT curated', 'share')} under curated text; over all seeds, with the mean of each language taken out, ${pooled('tox DPO', 'share')} and ${pooled('tox SFT curated', 'share')}. Under DPO the toxic mass changes by ${atShare('tox DPO', 0.25)} % where a language has 25 % of the text, ${atShare('tox DPO', 0.15)} % at 15, ${atShare('tox DPO', 0.1)} % at 10, ${atShare('tox DPO', 0.06)} % at 6 and ${atShare('tox DPO', 0.04)} % at 4: on average more with more text up to 15 %, and less again at 25, with intervals of neighbours that overlap. Similarity of parallel sentences does not tell it either (${pooled('tox DPO', 'similarity')} and ${pooled('tox SFT curated', 'similarity')}).`,
    `- **EMT sees little of it.** Under DPO the targets' EMT changes by ${targets('tox DPO', 'emt')} % and their mean toxicity by ${targets('tox DPO', 'meanToxicity')} %: the worst of 25 is near its ceiling. Raw, masked and the paper's are one number while the language stays. For curated text they are ${onTargets('tox SFT curated', emt, 3)}, ${onTargets('tox SFT curated', masked, 3)} and ${onTargets('tox SFT curated', paper, 3)} on the targets; under DPO on the source ${onSource('tox DPO', emt, 3)}, ${onSource('tox DPO', (one) => masked(one) ?? 0, 3)} and ${onSource('tox DPO', paper, 3)}: some of the toxic words that are left there are of other languages, which a scorer of one language would not see.`,
    `- **Over-optimisation shows in margin and perplexity, not in the language.** At the chosen rates DPO drew its pairs ${margins('tox DPO')} nats apart (toxicity) and ${margins('bias DPO')} (bias). On the seed of the rates, 1e-3 took ${over.margin!.toFixed(0)} nats and perplexity from ${before.measured.source!.perplexity.toFixed(1)} to ${over.measured.source!.perplexity.toFixed(0)}, with ${Math.round(100 * over.measured.source!.consistency!)} % of the continuations in their language.`,
  ]
}

const stereotype = (one: Measured): number => one.stereotype
const consistency = (one: Measured): number | null => one.consistency
const emt = (one: Measured): number => one.emt
const masked = (one: Measured): number | null => one.emtMasked
const paper = (one: Measured): number => one.emtPaper

const minus = (text: string): string => text.replace('-', '−')

/** Mean ± half of its 95 % interval. */
function shown(values: readonly number[], digits: number): string {
  const { mean, halfWidth } = statistics(values)
  return `${minus(mean.toFixed(digits))} ± ${halfWidth.toFixed(digits)}`
}
