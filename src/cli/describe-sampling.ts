// How a text is drawn, in the words of the options: what was asked for, what the model's makers say, and our own defaults together.

import { counted } from '../report/amounts.ts'

/** `GenerationSettings` of the engine, of which nothing else is needed here. */
export interface Sampling {
  temperature: number
  topK: number
  topP: number
  minP: number
  repetitionPenalty: number
  presencePenalty?: number
  frequencyPenalty?: number
  logitBias?: ReadonlyMap<number, number>
  maxNewTokens: number
}

/** `temperature 0.8, top-p 0.95, at most 256 tokens`; what changes nothing is left out. */
export function describeSampling(sampling: Sampling): string {
  const { temperature, topK, topP, minP, repetitionPenalty, maxNewTokens } = sampling
  const { presencePenalty = 0, frequencyPenalty = 0, logitBias } = sampling
  const isGreedy = temperature === 0
  return [
    isGreedy ? 'greedy (temperature 0)' : `temperature ${temperature}`,
    !isGreedy && topK > 0 && `top-k ${topK}`,
    !isGreedy && topP < 1 && `top-p ${topP}`,
    !isGreedy && minP > 0 && `min-p ${minP}`,
    repetitionPenalty !== 1 && `repetition penalty ${repetitionPenalty}`,
    presencePenalty !== 0 && `presence penalty ${presencePenalty}`,
    frequencyPenalty !== 0 && `frequency penalty ${frequencyPenalty}`,
    logitBias !== undefined && logitBias.size > 0 && `${counted(logitBias.size, 'biased token')}`,
    `at most ${counted(maxNewTokens, 'token')}`,
  ]
    .filter((part) => part !== false)
    .join(', ')
}

/** What was asked for and changes nothing, or not what it seems to. */
export function samplingNotices(
  asked: Partial<Record<'seed' | 'topK' | 'topP' | 'minP', number | undefined>> & { stop?: readonly string[] },
  { temperature }: Pick<Sampling, 'temperature'>,
): string[] {
  const drawing = { '--seed': asked.seed, '--top-k': asked.topK, '--top-p': asked.topP, '--min-p': asked.minP }
  const idle = Object.keys(drawing).filter((name) => drawing[name as keyof typeof drawing] !== undefined)
  const stop = asked.stop?.find((text) => /\\[nrt]/.test(text))
  return [
    temperature === 0 &&
      idle.length > 0 &&
      `${idle.join(', ')} ${idle.length === 1 ? 'changes' : 'change'} nothing: at temperature 0 the most probable token is taken. Give --temperature`,
    stop !== undefined &&
      `--stop: ${stop} has a backslash and a letter, as it was given, and no control character. In bash $'${stop}' has one`,
  ].filter((notice) => notice !== false)
}
