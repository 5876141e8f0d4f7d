// The library `eld` (60 languages by byte n-grams, Apache-2.0) as an identifier: what answers where no identifier of one's own is named.

import { AnnealError } from '../../errors.ts'
import {
  type Identification,
  type IdentifyOptions,
  type LanguageIdentifier,
  MIN_LETTERS,
  MIN_PROBABILITY,
  UNDETERMINED,
} from './identifier.ts'
import { indicesOf, letterCount, softmax } from './language-model.ts'
import { lettersOf } from './ngrams.ts'

/** What is used of the library. */
interface Eld {
  detect(text: string): { language: string; getScores(): Record<string, number> }
  info(): { Languages: Record<number, string> }
}

/**
 * Its scores are similarities. Divided by 0.19 / letters^¾ they make probabilities: fitted on Scandinavian sentences, the hardest case
 * of its labels, cut to 20 and 40 characters and whole, which asked for 0.17 to 0.22 (docs/languages.md).
 */
function temperatureFor(letters: number): number {
  return 0.19 / Math.min(200, Math.max(5, letters)) ** 0.75
}

/** As much as our own reads of a text. */
const MAX_CHARACTERS = 4000

/** Loads the library; its labels are ISO 639-1, and Norwegian is one (`no`). */
export async function loadEld(): Promise<LanguageIdentifier> {
  // Not named where the compiler looks: one may work on everything else without the package.
  const module: string = 'eld/small'
  const { eld } = (await import(module).catch((cause: unknown) => {
    throw new AnnealError(
      "language identifier: expected the package 'eld', got none. Install the dependencies (npm install), or name an identifier of your own",
      { cause },
    )
  })) as { eld: Eld }
  return new EldIdentifier(eld)
}

class EldIdentifier implements LanguageIdentifier {
  readonly name = 'eld'
  readonly labels: readonly string[]
  private readonly eld: Eld

  constructor(eld: Eld) {
    this.eld = eld
    this.labels = Object.values(eld.info().Languages).sort()
  }

  identify(text: string, options: IdentifyOptions = {}): Identification {
    const { among, minLetters = MIN_LETTERS, minProbability = MIN_PROBABILITY } = options
    const chosen =
      among === undefined ? this.labels : indicesOf(among, this.labels, this.name).map((i) => this.labels[i]!)
    const head = text.slice(0, MAX_CHARACTERS)
    const scores = this.eld.detect(head).getScores()
    const letters = letterCount(lettersOf(head))
    const temperature = temperatureFor(letters)
    const probabilities = softmax(chosen.map((label) => (scores[label] ?? 0) / temperature))
    const ranking = chosen
      .map((language, i) => ({ language, probability: probabilities[i]! }))
      .sort((a, b) => b.probability - a.probability)
    const { language, probability } = ranking[0]!
    const reason =
      letters < minLetters
        ? 'too short'
        : (scores[language] ?? 0) === 0
          ? 'unlike anything known'
          : probability < minProbability
            ? 'unsure'
            : undefined
    return reason === undefined
      ? { language, probability, ranking }
      : { language: UNDETERMINED, probability, ranking, undetermined: reason }
  }

  plausible(text: string, language: string): number {
    indicesOf([language], this.labels, this.name)
    const head = text.slice(0, MAX_CHARACTERS)
    const scores = this.eld.detect(head).getScores()
    const own = scores[language] ?? 0
    const temperature = temperatureFor(letterCount(lettersOf(head)))
    return own === 0 ? 0 : Math.exp((own - Math.max(...Object.values(scores))) / temperature)
  }
}
