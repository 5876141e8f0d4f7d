// Stage 3: pre-training, as recipes/demo.yaml says, through the same code as `anneal train`.

import { join } from 'node:path'
import type { ParsedConfig } from '../config/parse.ts'
import { amount } from '../report/amounts.ts'
import type { ReportBlock } from '../report/report.ts'
import { formatNumber } from '../report/scale.ts'
import { smoothed } from '../report/series.ts'
import { runTraining } from '../run/train/run-training.ts'
import { shellWord } from '../shell-word.ts'
import { TrainingHistory } from './history.ts'
import { annealCommand } from './next-commands.ts'
import { planTraining } from './plan-training.ts'
import type { DemoStage } from './stage.ts'

export const pretrainStage: DemoStage = {
  name: 'pretrain',
  title: 'pre-training a small Llama',
  run: async function* (context) {
    const { settings, paths, shown, results, signal } = context
    const planned = yield* planTraining(context)
    const history = new TrainingHistory()
    const { config, origins } = planned
    const { reason, saveError } = yield* history.of(runTraining(config, { signal, origins }))
    results.training = planned
    const steps = history.loss.length
    if (reason === 'stopped' || saveError !== undefined) {
      // What was built beside a whole demo is taken away again.
      const canGoOn = history.checkpoint !== undefined && paths.model === shown.model
      const goOn = `${annealCommand()} train ${shellWord(join(paths.model, 'train_config.yaml'))} --resume_from_checkpoint auto`
      return {
        summary: `stopped after ${steps} steps`,
        numbers: { steps },
        stop: { next: canGoOn ? [goOn] : [], error: saveError },
      }
    }
    const [first = Number.NaN, last = Number.NaN] = [history.loss[0]?.[1], history.heldOutLoss.at(-1)?.[1]]
    const tokens = history.tokens.toLocaleString('en')
    const rerun = `\`--steps ${steps} --seed ${settings.seed}\``
    return {
      summary: `${steps.toLocaleString('en')} steps, ${tokens} tokens, loss ${first.toFixed(2)} → ${last.toFixed(2)} on held-out text`,
      numbers: {
        steps,
        tokens: history.tokens,
        epochs: history.epochs,
        parameters: history.parameters,
        first_loss: first,
        held_out_loss: last,
      },
      figures: [
        {
          label: 'parameters',
          value: `${(history.parameters / 1e6).toFixed(2)} M`,
          detail: `${tokens} tokens of training`,
        },
      ],
      sections: [
        {
          title: 'Training',
          lead:
            `${steps.toLocaleString('en')} steps over ${formatNumber(history.epochs, history.epochs / 10)} passes of the text, one token after the other to be predicted. ` +
            `As many as fit into the time on this machine; ${rerun} repeats it.`,
          blocks: charts(history),
        },
        {
          title: 'What it wrote along the way',
          lead: 'The most probable continuation of the same beginnings, so it repeats itself easily. The beginning is in colour.',
          blocks: [{ kind: 'samples', samples: byPrompt(history.samples) }],
        },
        {
          title: 'The model',
          lead: 'A Llama, as in recipes/demo.yaml, with weights drawn at random.',
          blocks: [shape(planned, history.parameters)],
        },
      ],
    }
  },
}

function charts(history: TrainingHistory): ReportBlock[] {
  return [
    {
      kind: 'line-chart',
      title: 'Loss',
      x: 'step',
      y: 'nats per token',
      series: [
        { name: 'each step', points: history.loss, style: 'faint' },
        { name: 'training', points: smoothed(history.loss) },
        { name: 'held-out text', points: history.heldOutLoss, style: 'marked' },
      ],
    },
    {
      kind: 'line-chart',
      title: 'Learning rate',
      x: 'step',
      y: 'factor of the update',
      series: [{ name: 'learning rate', points: history.learningRate }],
    },
    {
      kind: 'line-chart',
      title: 'Speed',
      x: 'step',
      y: 'tokens per second',
      fromZero: true,
      series: [
        { name: 'each step', points: history.tokensPerSecond, style: 'faint' },
        { name: 'smoothed', points: smoothed(history.tokensPerSecond, 0.95) },
      ],
      note: 'Dips are other programs that wanted the machine.',
    },
  ]
}

/** One prompt after the other, each from the first step to the last. */
function byPrompt(samples: TrainingHistory['samples']): TrainingHistory['samples'] {
  const prompts = [...new Set(samples.map(({ prompt }) => prompt))]
  return prompts.flatMap((prompt) => samples.filter((sample) => sample.prompt === prompt))
}

function shape({ config }: ParsedConfig, parameters: number): ReportBlock {
  const model = config.model as Record<string, number>
  const rows: [string, string | number][] = [
    ['parameters', amount(parameters, '', false)],
    ['layers', model.num_hidden_layers!],
    ['hidden size', model.hidden_size!],
    ['intermediate size of the MLP', model.intermediate_size!],
    ['attention heads', model.num_attention_heads!],
    ['key/value heads', model.num_key_value_heads!],
    ['tokens seen at once in training', config.max_length],
    ['tokens in a batch', config.max_length * config.per_device_train_batch_size],
  ]
  return { kind: 'table', columns: ['', ''], rows }
}
