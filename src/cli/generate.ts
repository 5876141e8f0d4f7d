// `anneal generate --model DIR --prompt TEXT`: continues a text and writes the continuation as it comes.

import { UsageError } from '../errors.ts'
import type { GenerateRequest, Lm } from '../lm/lm.ts'
import { amount, counted } from '../report/amounts.ts'
import { type Command, defineCommand } from './command.ts'
import { describeSampling, samplingNotices } from './describe-sampling.ts'
import { generateOptions, MODEL_OPTIONS, SAMPLING_OPTIONS } from './lm-options.ts'
import { openWriter } from './open-lm.ts'
import type { Output } from './output.ts'
import { readInput } from './read-input.ts'
import { STRUCTURE_OPTIONS, structureOf } from './structure-options.ts'
import { tokenTexts } from './token-texts.ts'
import { whyEnded, writeReply } from './write-reply.ts'

export const command: Command = defineCommand({
  summary: 'continue a text',
  options: {
    model: MODEL_OPTIONS.model,
    adapter: MODEL_OPTIONS.adapter,
    prompt: { kind: 'text', summary: 'the text to continue' },
    'prompt-file': {
      kind: 'text',
      value: 'FILE',
      summary: 'file with the text, - for standard input; its last line end is dropped',
    },
    ...SAMPLING_OPTIONS,
    temperature: {
      ...SAMPLING_OPTIONS.temperature,
      summary:
        '0 takes the most probable token; higher is bolder; 1 beside a top-k, top-p or min-p (default: generation_config.json, else 0)',
    },
    logprobs: { kind: 'flag', summary: 'with --json, the log-probability of each token that was made' },
    'top-logprobs': {
      kind: 'integer',
      value: 'K',
      summary: 'with --json, the K most probable tokens at each place too',
      min: 0,
      max: 1024,
    },
    ...STRUCTURE_OPTIONS,
    device: MODEL_OPTIONS.device,
    dtype: MODEL_OPTIONS.dtype,
    threads: MODEL_OPTIONS.threads,
  },
  examples: [
    "generate --model runs/tiny --prompt 'Once upon a time' --max-new-tokens 100",
    'generate --model runs/tiny --prompt-file - --temperature 0.8 --seed 1 < start.txt',
    `generate --model runs/tiny --prompt 'A person: ' --json-schema '{"required": ["name"]}'`,
  ],
  run: async ({ options, output }) => {
    const { logprobs, topLogprobs } = options
    for (const [name, isGiven] of [
      ['logprobs', logprobs],
      ['top-logprobs', topLogprobs !== undefined],
    ] as const)
      if (isGiven && !output.isJson)
        throw new UsageError(`--${name}: expected --json with it, whose object holds the numbers`)
    const prompt = await promptOf(options)
    const structure = await structureOf(options)
    const engine = await openWriter(options, output)
    const request = {
      prompt,
      ...generateOptions(options),
      ...(structure !== undefined && { structure }),
      ...(logprobs && { logprobs }),
      ...(topLogprobs !== undefined && { topLogprobs }),
    }
    const { generationSettings } = await import('../infer/generation-settings.ts')
    const settings = generationSettings(request, engine.generationConfig)
    for (const notice of samplingNotices(options, settings)) output.note(`notice: ${notice}`)
    const how = describeSampling(settings)
    await generate(engine, request, output, how)
  },
})

/** Generates one continuation onto `output`: text with a line about speed and `how` it was drawn, or one object with `--json`. */
export async function generate(lm: Lm, request: GenerateRequest, output: Output, how?: string): Promise<void> {
  const reply = await writeReply(lm.generate(request), output, tokenTexts(lm))
  const { tokenIds, tokensPerSecond } = reply
  if (output.isJson) return
  const why = whyEnded(reply, lm.contextLength)
  const speed = tokensPerSecond === undefined ? '' : `, ${amount(tokensPerSecond, '', false)} tokens/s`
  const { draftTokens = 0, acceptedDraftTokens = 0 } = reply.usage
  const guessed = draftTokens === 0 ? '' : `, ${acceptedDraftTokens} of ${draftTokens} guesses right`
  output.note(
    `${counted(tokenIds.length, 'token')}${speed}${guessed}; ${why}${how === undefined ? '' : ` (${how})`}`,
    'quiet',
  )
}

async function promptOf(options: { prompt: string | undefined; promptFile: string | undefined }): Promise<string> {
  const { prompt, promptFile } = options
  if (prompt !== undefined && promptFile !== undefined)
    throw new UsageError('--prompt-file: expected it or --prompt, got both')
  if (prompt !== undefined) return prompt
  if (promptFile === undefined) throw new UsageError('--prompt: expected a text (or --prompt-file FILE), got nothing')
  return (await readInput(promptFile)).replace(/\r?\n$/, '')
}
