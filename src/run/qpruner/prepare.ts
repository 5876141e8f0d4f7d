// Configuration → a pipeline that is ready to start: the model is known, its text is drawn, the folder is taken, the stages are planned.
// What is wrong is said here, before anything is written.
import { sweepLeftovers } from '../../files/leftover.ts'
import { takeOutputDirectory } from '../../files/output-directory.ts'
import { pinnedName } from '../../hub/snapshot.ts'
import { resolveOptions } from '../../methods/prune/options.ts'
import { loadDtype } from '../../model/dtype.ts'
import { resolveDevice, setThreads } from '../../torch/index.ts'
import type { Watch } from '../../work.ts'
import { refuseQuantized } from '../edit/edit-model.ts'
import { drawWindows, fittingTokenizer, resolveWindows } from '../edit/edit-windows.ts'
import { loadModel } from '../load-model.ts'
import { modelNotices } from '../model-notices.ts'
import { modelSource, sourceConfig } from '../model-source.ts'
import { resolveData } from '../resolve-data.ts'
import { resolveModelPath } from '../resolve-model.ts'
import { hashAll } from '../source-files.ts'
import { inKeys } from '../train/in-keys.ts'
import type { QprunerConfig } from './config.ts'
import { planStages, type QprunerPlan, refuseOtherStages } from './plan.ts'
import { pruneOptionsOf, type StageContext } from './stages.ts'

/** A pipeline before its first stage. */
export interface Prepared {
  context: StageContext
  plan: QprunerPlan
  /** Gives the folder free; takes it away where nothing is in it. */
  close(): void
}

/** What those who have a file call what the library names otherwise. */
const KEYS: Readonly<Record<string, string>> = {
  maxLength: 'calibration.max_length',
  data: 'dataset',
  evalData: 'eval_dataset',
  ratio: 'prune.ratio',
  budgetBits: 'quantize.budget_bits',
  scope: 'prune.scope',
  align: 'prune.align',
  protectFirst: 'prune.protect_first',
  protectLast: 'prune.protect_last',
}

/** Checks and draws; a refusal leaves nothing behind. */
export async function prepareQpruner(
  config: QprunerConfig,
  watch: Watch,
  { overwrite = false }: { overwrite?: boolean | undefined } = {},
): Promise<Prepared> {
  if (config.threads !== undefined) setThreads(config.threads)
  const { model_name_or_path, output_dir: root, calibration, dataset, eval_dataset, text_column, seed } = config
  const path = await resolveModelPath(model_name_or_path, watch)
  const source = modelSource(path)
  const decoder = sourceConfig(source)
  const { samples, max_length: maxLength, batch_size: batchSize } = calibration
  const data = await resolveData(dataset, watch)
  const evalData = eval_dataset && (await resolveData(eval_dataset, watch, { usual: null }))
  // Kept with the commits that its names have now.
  const own = {
    ...config,
    model_name_or_path: pinnedName(path),
    dataset: data,
    ...(evalData && { eval_dataset: evalData }),
  }
  const text = { data, evalData, samples, maxLength, batchSize, textColumn: text_column, seed }
  refuseQuantized({ source, config: decoder }, 'prune and quantize')
  const wanted = inKeys(KEYS, () => {
    if (config.prune) resolveOptions(pruneOptionsOf(config.prune, seed), decoder.layers.length)
    return resolveWindows(text, decoder)
  })
  const device = resolveDevice(config.device)
  const dtype = loadDtype(config.dtype, decoder.dtype, device)
  const close = takeOutputDirectory(root, 'output_dir')
  try {
    sweepLeftovers(root)
    const tokenizer = await fittingTokenizer(source, decoder)
    for (const message of modelNotices(decoder, tokenizer)) watch.tell?.({ type: 'notice', message })
    const windows = await drawWindows(tokenizer, wanted, watch)
    const context: StageContext = {
      config: own,
      original: source,
      windows,
      watch,
      load: (from, onto) => loadModel(from, { device, dtype, ...(onto && { onto }) }),
    }
    const plan = planStages(own, hashAll(source), windows)
    if (!overwrite) refuseOtherStages(plan, root)
    return { context, plan, close }
  } catch (error) {
    close()
    throw error
  }
}
