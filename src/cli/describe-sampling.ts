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
