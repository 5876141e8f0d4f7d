// The values of `MODEL_OPTIONS` → what generates and scores.
import type { Engine } from '../infer/engine.ts'
import { eventsOf } from '../work.ts'
import type { OptionValues } from './command.ts'
import type { MODEL_OPTIONS } from './lm-options.ts'
import type { Output } from './output.ts'
import { reportEvents } from './report-events.ts'

/** Loads the model that the options name, with its adapters; says so where it is only a part of what is there. */
export async function openLm(
  { model, threads, adapter, device, dtype }: OptionValues<typeof MODEL_OPTIONS>,
  output: Output,
): Promise<Engine> {
  const { resolveModels } = await import('../run/resolve-model.ts')
  const named = await reportEvents(
    eventsOf((watch) => resolveModels({ model, adapter }, watch)),
    output,
  )
  const { setThreads } = await import('../torch/index.ts')
  if (threads !== undefined) setThreads(threads)
  const { loadLm } = await import('../run/load-lm.ts')
  const { modelNotices } = await import('../run/model-notices.ts')
  const engine = await loadLm(named.model, {
    adapter: named.adapter,
    device,
    dtype,
    tell: (notice) => output.note(`notice: ${notice}`),
  })
  for (const notice of modelNotices(engine.model.config, engine.tokenizer)) output.note(`notice: ${notice}`)
  return engine
}

/** `openLm` for a model that is to write; says so where its makers ask for what the engine does not do. */
export async function openWriter(options: OptionValues<typeof MODEL_OPTIONS>, output: Output): Promise<Engine> {
  const engine = await openLm(options, output)
  const { noticeOfUnfollowed } = await import('../infer/unfollowed-keys.ts')
  const notice = noticeOfUnfollowed(engine.generationConfig.unfollowed)
  if (notice !== undefined) output.note(`notice: ${notice}`)
  return engine
}
