// What a path or an address means as a model to evaluate.

import { lmModel } from '../../eval/lm-model.ts'
import type { EvalModel } from '../../eval/model.ts'
import { serverModel } from '../../eval/server-model.ts'
import { fileMark } from '../../files/file-mark.ts'
import { hashOf } from '../../files/hash.ts'
import { isHubName } from '../../hub/hub-name.ts'
import { nameOfSnapshot } from '../../hub/snapshot.ts'
import type { Watch } from '../../work.ts'
import { type LoadLmOptions, loadLm } from '../load-lm.ts'
import { modelNotices } from '../model-notices.ts'
import { type ModelSource, modelSource } from '../model-source.ts'
import { resolveModels } from '../resolve-model.ts'
import { sourceWeights } from '../source-files.ts'

/** A model that answers; `free` gives back what it holds. */
export interface OpenedModel {
  model: EvalModel
  free: () => void
}

/** Opens a directory, a GGUF file, an adapter, any of them by its name on the hub, or an OpenAI-compatible server (`http://…`). */
export async function openEvalModel(
  path: string,
  { tell, ...options }: LoadLmOptions,
  watch?: Watch,
): Promise<OpenedModel> {
  if (/^https?:\/\//.test(path) && !isHubName(path)) return { model: await serverModel(path), free: () => {} }
  const resolved = await resolveModels({ model: path, adapter: options.adapter }, watch)
  const engine = await loadLm(resolved.model, {
    ...options,
    adapter: resolved.adapter ?? [],
    ...(tell !== undefined && { tell }),
  })
  for (const notice of modelNotices(engine.model.config, engine.tokenizer)) tell?.(notice)
  const source = modelSource(resolved.model, resolved.adapter)
  const { config } = engine.model
  const marks = sourceWeights(source).map(fileMark)
  const tokenizer = engine.tokenizer
  const token = (id: number | undefined): [string, number] | null =>
    id === undefined ? null : [Buffer.from(tokenizer!.idToBytes(id)).toString('utf8'), id]
  const model = lmModel(engine, {
    identity: hashOf(
      ...marks,
      JSON.stringify([options.dtype ?? 'auto', options.device ?? 'auto', engine.contextLength]),
    ),
    facts: {
      model_source: 'anneal',
      ...commitsOf(source),
      max_length: engine.contextLength,
      tokenizer_pad_token: token(tokenizer?.padTokenId),
      tokenizer_eos_token: token(tokenizer?.eosTokenId),
      tokenizer_bos_token: token(tokenizer?.bosTokenId),
      eot_token_id: tokenizer?.eosTokenId ?? config.eosTokenIds[0] ?? null,
      chat_template: tokenizer?.chatTemplate ?? null,
    },
  })
  return { model: { ...model, name: path }, free: () => engine.free() }
}

/** Which versions of a base and of its adapters on the hub were measured, as lm-evaluation-harness names them. */
function commitsOf({ base, adapters }: ModelSource): { model_sha?: string; peft_sha?: string } {
  const model = nameOfSnapshot(base)?.revision
  const peft = adapters.map(({ directory }) => nameOfSnapshot(directory)?.revision).filter((each) => each !== undefined)
  return { ...(model !== undefined && { model_sha: model }), ...(peft.length > 0 && { peft_sha: peft.join(', ') }) }
}
