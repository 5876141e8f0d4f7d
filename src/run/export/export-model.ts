// A model in the files that other programs load: GGUF, a Hugging Face directory, or an adapter alone for llama.cpp.
import { mkdirSync, statSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { InputError, UsageError } from '../../errors.ts'
import { writeFileAtomic } from '../../files/atomic-write.ts'
import { checkOutputFile } from '../../files/output-file.ts'
import { exportAdapterGguf } from '../../gguf/export-adapter.ts'
import { type CheckedGguf, exportGguf } from '../../gguf/export-gguf.ts'
import { modelfile } from '../../gguf/modelfile.ts'
import type { GgufFormat } from '../../gguf/tensor-types.ts'
import { nameOfSnapshot } from '../../hub/snapshot.ts'
import { loraLayers } from '../../methods/lora/lora.ts'
import { scaleOf } from '../../methods/lora/lora-linear.ts'
import type { MergeBase } from '../../methods/lora/quantized-base.ts'
import { storedDtype } from '../../model/dtype.ts'
import { eventsOf, type Watch, type WorkEvent } from '../../work.ts'
import { checkTarget, takeTarget } from '../edit/edit-target.ts'
import { type LoadedModel, loadModel } from '../load-model.ts'
import { modelSource } from '../model-source.ts'
import { originMetadata } from '../push/gguf-origin.ts'
import { baseOf, licenceOf } from '../push/push-card.ts'
import { resolveModels } from '../resolve-model.ts'
import { type ExportedDirectory, exportDirectory, type HuggingFaceTarget } from './export-hf.ts'
import { adapterLines, directoryLines, ggufLines } from './export-lines.ts'
import { ggufCard } from './gguf-card.ts'

interface CommonOptions {
  /** A model directory, a GGUF file, an adapter's directory, or a name on the hub. */
  model: string
  /** LoRAs that are merged into it. */
  adapter?: string | readonly string[]
  /** What an adapter that was trained on a quantized base is merged onto. Default `dequantized`. */
  onto?: MergeBase
  /** A new file, or a new or empty folder. */
  out: string
  /** Lets what is in `out` be replaced; other files of a folder stay. */
  overwrite?: boolean
}

/** `gguf` writes a file with a card and a Modelfile beside it; `hf` a directory; `gguf-adapter` a LoRA alone, for llama.cpp's `--lora`. */
export type ExportOptions = CommonOptions &
  (
    | { to: 'gguf' /** Default `auto`: the stored type. */; format?: GgufFormat | 'auto'; skipCheck?: boolean }
    | ({ to: 'hf' } & Omit<HuggingFaceTarget, 'out'>)
    | { to: 'gguf-adapter' }
  )

/** What was written, and what reading it back showed. */
export type ExportResult =
  | ({ to: 'gguf'; format: GgufFormat; bytes: number } & Omit<CheckedGguf, 'size' | 'contextLength'>)
  | ({ to: 'hf' } & ExportedDirectory)
  | { to: 'gguf-adapter'; path: string; bytes: number; modules: number }

/**
 * Loads, merges, writes, reads back. A GGUF file in a type without loss that does not say what the model does is an AnnealError.
 *
 * @example
 * const result = await resultOf(exportModel({ to: 'gguf', model: 'runs/lora', out: 'lora.gguf', format: 'q8_0' }))
 */
export function exportModel(
  options: ExportOptions,
  { signal }: { signal?: AbortSignal } = {},
): AsyncGenerator<WorkEvent, ExportResult> {
  return eventsOf((watch) => run(options, watch), { signal })
}

async function run(given: ExportOptions, watch: Watch): Promise<ExportResult> {
  const options = await resolveModels(given, watch)
  const { out, to, overwrite = false } = options
  if (to === 'hf') checkTarget(modelSource(options.model, options.adapter), out, overwrite)
  const takeAway = takeTarget(out)
  try {
    if (to !== 'hf') checkFile(out, overwrite)
    if (to === 'gguf-adapter') return await adapterAlone(options, watch)
    const source = modelSource(options.model, options.adapter)
    const { onto = 'dequantized' } = options
    // In the stored type a large model fits that would not in f32; sums of adapters are made in f32.
    const loaded = await loadModel(source, { onto, device: 'cpu', dtype: 'stored' })
    try {
      return to === 'gguf' ? await ggufOf(loaded, options, watch) : await directoryOf(loaded, options, watch)
    } finally {
      loaded.model.free()
    }
  } finally {
    takeAway()
  }
}

/** UsageError unless a file may be written to `out`: nothing there, or with `overwrite` a plain file. */
function checkFile(out: string, overwrite: boolean): void {
  const there = statSync(out, { throwIfNoEntry: false })
  if (there?.isDirectory())
    throw new UsageError(`out: expected a file, got the folder ${out}. Name a file, such as ${join(out, 'model.gguf')}`)
  checkOutputFile(out, 'out')
  if (there !== undefined && !overwrite)
    throw new UsageError(
      `out: expected a new file, got ${out}, which is there. Choose another one, or give \`overwrite\``,
    )
}

async function ggufOf(
  loaded: LoadedModel,
  { out, format: wish = 'auto', skipCheck = false }: ExportOptions & { to: 'gguf' },
  watch: Watch,
): Promise<ExportResult> {
  const { model, tokenizer, generationConfig, source } = loaded
  const format = wish === 'auto' ? storedDtype(model.config.dtype) : wish
  mkdirSync(dirname(resolve(out)), { recursive: true })
  const { eosTokenIds } = generationConfig
  // Who has the file alone learns where it comes from.
  const base = nameOfSnapshot(source.base)?.repo ?? baseOf(loaded.lineage)
  const metadata = originMetadata({ base, licence: base === undefined ? undefined : licenceOf(base) })
  const options = { format, tokenizer, name: source.name, eosTokenIds, metadata, check: !skipCheck }
  const file = await exportGguf(model, out, options, watch)
  const special = (id: number | undefined): string | undefined =>
    id === undefined ? undefined : tokenizer?.idToToken(id)
  const forOllama = modelfile({
    file: basename(out),
    chatTemplate: tokenizer?.chatTemplate,
    toolTemplate: tokenizer?.chatTemplate && tokenizer.chatTemplateFor([]),
    bosToken: special(tokenizer?.bosTokenId),
    eosToken: special(tokenizer?.eosTokenId),
    stops: endTokens(loaded),
    contextLength: file.contextLength,
    temperature: generationConfig.temperature,
    topP: generationConfig.topP,
    topK: generationConfig.topK,
  })
  const written = { ...file, notices: [...file.notices, ...forOllama.notices] }
  writeFileAtomic(`${out}.md`, ggufCard({ loaded, written, format }))
  writeFileAtomic(`${out}.Modelfile`, forOllama.text)
  const { size: bytes, contextLength: _, ...rest } = written
  const result: ExportResult = { to: 'gguf', ...rest, bytes, format }
  const [text] = written.check?.differing ?? []
  const own = `the tokenizer in the file gives other ids for some texts, such as ${JSON.stringify(text)}`
  tellNotices(text === undefined ? written.notices : [own, ...written.notices], watch)
  watch.tell?.({ type: 'saved', what: 'model', path: out })
  watch.tell?.({ type: 'result', result, lines: ggufLines(source.name, written) })
  return result
}

/** The texts of the tokens that end an answer. */
function endTokens({ model, tokenizer, generationConfig }: LoadedModel): string[] {
  const ids = generationConfig.eosTokenIds ?? model.config.eosTokenIds
  const all = tokenizer?.eosTokenId === undefined ? ids : [tokenizer.eosTokenId, ...ids]
  return [...new Set(all)].flatMap((id) => tokenizer?.idToToken(id) ?? [])
}

async function directoryOf(
  loaded: LoadedModel,
  options: ExportOptions & { to: 'hf' },
  watch: Watch,
): Promise<ExportResult> {
  const done = await exportDirectory(loaded, options)
  tellNotices(done.notices, watch)
  const result: ExportResult = { to: 'hf', ...done }
  watch.tell?.({ type: 'saved', what: 'model', path: done.path })
  watch.tell?.({ type: 'result', result, lines: directoryLines(loaded.source.name, done) })
  return result
}

/** The topmost adapter in a file of its own; an UnsupportedError says what llama.cpp cannot load and what to do instead. */
async function adapterAlone({ model: path, adapter, out }: ExportOptions, watch: Watch): Promise<ExportResult> {
  const source = modelSource(path, adapter)
  const [only, ...more] = source.adapters
  if (only === undefined || more.length > 0)
    throw new UsageError(
      `adapter: expected one LoRA to be written alone, got ${only === undefined ? 'none. Give its folder' : `${more.length + 1}. Give one of them, with its base as \`model\``}`,
    )
  const { model } = await loadModel(source, { device: 'cpu' })
  try {
    const adapters = Array.from(loraLayers(model), ([at, layer]) => {
      const [each] = [...layer.adapters.values()]
      const { A, B, magnitude } = each!
      return [at, { A, B, scale: scaleOf(each!, A.size(0)), isDora: magnitude !== null }] as const
    })
    if (adapters.length === 0)
      throw new InputError(
        `adapter in ${only.directory}: expected a LoRA, got a soft prompt, which llama.cpp does not load`,
      )
    mkdirSync(dirname(resolve(out)), { recursive: true })
    const { size } = exportAdapterGguf(model.config, new Map(adapters), out, basename(resolve(only.directory)))
    const result: ExportResult = { to: 'gguf-adapter', path: out, bytes: size, modules: adapters.length }
    watch.tell?.({ type: 'saved', what: 'adapter', path: out })
    watch.tell?.({ type: 'result', result, lines: adapterLines(result) })
    return result
  } finally {
    model.free()
  }
}

function tellNotices(notices: readonly string[], watch: Watch): void {
  for (const message of notices) watch.tell?.({ type: 'notice', message })
}
