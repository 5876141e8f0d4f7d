// What the stages of `anneal sande` do with their empty folders: the parrot, and the model with the backdoor taken out.
import { join } from 'node:path'
import { datedSteps, writeModel } from '../../checkpoint/model-directory/write-model.ts'
import { writeFileAtomic } from '../../files/atomic-write.ts'
import { Engine } from '../../infer/engine.ts'
import { addLora } from '../../methods/lora/lora.ts'
import { mergeAndUnload } from '../../methods/lora/merge.ts'
import type { Defence } from '../../methods/sande/choices.ts'
import type { ExchangeEncoder } from '../../methods/sande/exchange.ts'
import { randomParrot, trainParrot } from '../../methods/sande/parrot.ts'
import { loadParrot, saveParrot } from '../../methods/sande/parrot-file.ts'
import { type CleanExchange, type SandeOptions, sande } from '../../methods/sande/sande.ts'
import type { Watch } from '../../work.ts'
import type { LoadedModel } from '../load-model.ts'
import type { ModelSource } from '../model-source.ts'
import { bringCompanions, hashSource } from '../source-files.ts'
import { type AuditWish, auditModel } from './run-audit.ts'
import type { RunParrotOptions } from './sande-options.ts'

/** What every stage is given. */
export interface StageContext {
  /** What the model is called where it is told of. */
  name: string
  method: Defence
  seed: number
  source: ModelSource
  encoder: ExchangeEncoder
  /** Where a way of saying may set the backdoor off: the file, and question → the same said so. */
  rewritten: { file: string; pairs: ReadonlyMap<string, string> } | undefined
  /** What is tuned on, and what is asked. */
  tuned: readonly CleanExchange[]
  asked: readonly CleanExchange[]
  watch: Watch
  load(source: ModelSource): Promise<LoadedModel>
}

/** Audits the model and writes audit.json. */
export async function auditInto(
  to: string,
  from: ModelSource,
  wish: AuditWish,
  { name, asked, encoder, rewritten, watch, load }: StageContext,
): Promise<void> {
  const { model, tokenizer, generationConfig } = await load(from)
  const engine = new Engine({ model, tokenizer, generationConfig })
  try {
    const found = await auditModel(name, engine, asked, encoder, { ...wish, rewritten: rewritten?.pairs }, watch)
    const audit = { ...found, ...(rewritten && { rewritten: rewritten.file }) }
    writeFileAtomic(join(to, 'audit.json'), `${JSON.stringify(audit, null, 2)}\n`)
  } finally {
    engine.free()
  }
}

/** Trains the parrot for `marker`, or for the control one of random directions as long. */
export async function parrotInto(
  to: string,
  marker: string,
  options: RunParrotOptions,
  { encoder, tuned, method, seed, source, watch, load }: StageContext,
): Promise<void> {
  const { model } = await load(source)
  try {
    const ids = encoder.marker(marker).slice(0, options.markerTokens)
    const exchanges = tuned.map(({ exchange }) => exchange)
    const parrot = await trainParrot(model, exchanges, { ...options, marker: ids, seed }, watch)
    const used = method === 'random' ? randomParrot(parrot, seed) : parrot
    saveParrot(used, to)
    if (used !== parrot) used.embedding.free()
    parrot.embedding.free()
  } finally {
    model.free()
  }
}

/** Takes the backdoor out and writes the model. */
export async function defendInto(
  to: string,
  tuning: SandeOptions,
  { parrotIn, clean }: { parrotIn: string | null; clean: ModelSource | null },
  { finetuning, loraR }: { finetuning: 'full' | 'lora'; loraR: number },
  { encoder, tuned, rewritten, source, seed, watch, load }: StageContext,
): Promise<void> {
  const { model, lineage, steps } = await load(source)
  const parrot = parrotIn === null ? undefined : loadParrot(parrotIn, model.device)
  const cleanModel = clean === null ? undefined : (await load(clean)).model
  try {
    if (finetuning === 'lora') addLora(model, { r: loraR, seed })
    else model.trainable()
    const record = await sande(
      model,
      tuned,
      encoder,
      { ...tuning, rewritten: rewritten?.pairs, parrot, cleanModel },
      watch,
    )
    if (finetuning === 'lora') mergeAndUnload(model)
    const members = parrot === undefined ? {} : { parrot: parrot.members }
    const step = {
      ...record,
      options: {
        ...record.options,
        ...(rewritten && { rewritten: rewritten.file }),
        ...{ finetuning, ...(finetuning === 'lora' && { lora_r: loraR }), rows: tuned.length },
      },
      report: { ...record.report, ...members },
    }
    await writeModel(to, {
      model,
      companions: (directory) => bringCompanions(source, directory),
      lineage: [...lineage, ...datedSteps([...steps, step], hashSource(source), source.base)],
    })
  } finally {
    parrot?.embedding.free()
    cleanModel?.free()
    model.free()
  }
}
