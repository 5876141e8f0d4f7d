// Whether a tokenizer that is given beside a model is that model's: its rows mean what the model's own tokenizer says, and another
// vocabulary of the same size, or a smaller one, fits without an error and teaches nonsense.
import { realpathSync } from 'node:fs'
import type { TrainConfig } from '../../config/schema.ts'
import type { Tokenizer } from '../../text/tokenizer.ts'
import { loadTokenizer } from '../load-model.ts'
import { modelSource, placeOf } from '../model-source.ts'

/** What to say of `given` where ids mean something else than beside the model; undefined where it is the model's own or only adds to it. */
export async function foreignTokenizer(
  { model_name_or_path: model, tokenizer_name_or_path: path }: TrainConfig,
  given: Tokenizer,
): Promise<string | undefined> {
  if (model === undefined || path === undefined) return undefined
  const source = modelSource(model)
  if (realpathSync(placeOf(source, 'tokenizer.json')) === realpathSync(path)) return undefined
  const own = await loadTokenizer(source)
  if (own === undefined) return undefined
  let [others, missing, tokens] = [0, 0, 0]
  for (let id = 0; id < own.vocabSize; id++) {
    const token = own.idToToken(id)
    if (token === undefined) continue
    tokens++
    if (given.idToToken(id) === undefined) missing++
    else if (given.idToToken(id) !== token) others++
  }
  if (others + missing === 0) return undefined
  const counted = (count: number, what: string): string[] =>
    count === 0 ? [] : [`${count.toLocaleString('en')} ${what}`]
  const parts = [...counted(others, 'mean another token'), ...counted(missing, 'mean none')]
  return `tokenizer_name_or_path ${path} is not the model's own: of the ${tokens.toLocaleString('en')} ids that the tokenizer beside ${model} has, ${parts.join(' and ')} in it, so what the model knows of them is lost. Leave tokenizer_name_or_path out to use the model's own`
}
