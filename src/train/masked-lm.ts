// What is minimised in masked language modelling: cross-entropy of the tokens that were hidden. The head sees their places alone.
import { type Batch, IGNORE_INDEX } from '../data/batch.ts'
import type { AnyModel } from '../model/any-model.ts'
import type { Encoder } from '../model/encoder/encoder.ts'
import { noGrad, ops, Tensor } from '../torch/index.ts'
import type { Objective } from './objective.ts'

/** Cross-entropy (nats) over the labels that are not −100, each at its own place; adds `mean_token_accuracy`. */
export function maskedLanguageModeling(): Objective<Batch, AnyModel> {
  return {
    weight: ({ labels }) => labels.reduce((count, label) => count + (label === IGNORE_INDEX ? 0 : 1), 0),
    tokens: (batch) => batch.rows * batch.length,
    forward: (model, batch) => {
      const encoder = model as Encoder
      const places = [...batch.labels.keys()].filter((place) => batch.labels[place] !== IGNORE_INDEX)
      const at = (values: number[]): Tensor =>
        Tensor.from(Int32Array.from(values), [values.length]).to('i64').to(encoder.device)
      const hidden = encoder.hidden(batch)
      const logits = encoder.logits(hidden.reshape(-1, hidden.size(-1)).indexSelect(0, at(places)))
      const wanted = at(places.map((place) => batch.labels[place]!))
      const loss = ops.gather(logits.logSoftmax(-1), 1, wanted.unsqueeze(1)).sum().neg()
      const correct = noGrad(() => ops.eq(logits.detach().argmax(-1), wanted).to('f32').sum())
      return { loss, metrics: { mean_token_accuracy: correct } }
    },
  }
}
