// A classifier of hashed character n-grams as what gives labels to texts.

import { type LanguageModel, softmax } from '../data/language/language-model.ts'
import { Count, turn, type Watch } from '../work.ts'
import type { Classification, TextLabeller } from './classification.ts'

/** Gives one label to each text, by its characters. Needs no tokenizer and no LibTorch. */
export class NgramClassifier implements TextLabeller {
  readonly model: LanguageModel
  readonly thresholds = null

  constructor(model: LanguageModel) {
    this.model = model
  }

  get labels(): readonly string[] {
    return this.model.labels
  }

  async label(texts: readonly string[], _options?: object, watch?: Watch): Promise<Classification[]> {
    const done = new Count(watch, { label: 'classifying', unit: 'rows', total: texts.length })
    const answers: Classification[] = []
    for (const text of texts) {
      const logits = this.model.logitsOf(text)
      const label = this.labels[logits.indexOf(Math.max(...logits))]!
      answers.push({ label, labels: [label], probabilities: softmax(logits), logits })
      done.add(1)
      if (answers.length % 1000 === 0) await turn(watch)
    }
    return answers
  }

  free(): void {}
}
