// The rows of the table: every defence with what it is told, and the controls. All take the same number of optimizer steps, of the same number
// of questions each, on the same clean questions; what a method does beside that is timed and counted.

import type { Defence } from '../../src/methods/sande/choices.ts'
import type { ExchangeEncoder } from '../../src/methods/sande/exchange.ts'
import { type Parrot, randomParrot, trainParrot } from '../../src/methods/sande/parrot.ts'
import { type SandeOptions, sande } from '../../src/methods/sande/sande.ts'
import type { Decoder } from '../../src/model/decoder.ts'
import { someOf } from '../../src/run/sande/read-exchanges.ts'
import { type Attack, MARKER, pairsOf, rewrittenOf } from './attacks.ts'
import { exchanges } from './measure.ts'
import type { Setting } from './setting.ts'

export interface Arm {
  name: string
  method: Defence
  /** Of whose learning rate: methods and their controls share one. */
  rateOf: string
  /** So many tokens of the marker are known. */
  markerTokens?: number
  /** For BEEAR, which does without it, too. */
  isMarkerTold?: boolean
  implant?: boolean
}

/** The rows. */
export const ARMS: readonly Arm[] = [
  { name: 'clean SFT', method: 'sft', rateOf: 'clean SFT' },
  { name: 'fine-mixing', method: 'fine-mixing', rateOf: 'fine-mixing' },
  { name: 'OSFT', method: 'osft', rateOf: 'OSFT' },
  { name: 'SANDE', method: 'sande', rateOf: 'SANDE' },
  { name: 'SANDE-P', method: 'sande', rateOf: 'SANDE-P', markerTokens: 1 },
  { name: 'CROW', method: 'crow', rateOf: 'CROW' },
  { name: 'BEEAR', method: 'beear', rateOf: 'BEEAR' },
  { name: 'BEEAR, marker known', method: 'beear', rateOf: 'BEEAR, marker known', isMarkerTold: true },
  { name: 'collapse', method: 'collapse', rateOf: 'collapse' },
  { name: 'collapse without implant', method: 'collapse', rateOf: 'collapse', implant: false },
  { name: 'random soft tokens', method: 'random', rateOf: 'SANDE' },
]

/** What a defence works on. */
export interface Task {
  model: Decoder
  number: number
  attack: Attack
  /** The model before the attack. */
  before: Decoder
  samples: number
  rate: number
}

export interface Defended {
  /** Of stage 1, the search for the parrot; of processor time, which other work on the machine does not lengthen. */
  searchSeconds: number
  searchSteps: number
  seconds: number
  /** Optimizer steps on the model. */
  steps: number
  /** Share of questions after which the frozen model says the marker with the best parrot. */
  elicited: number | null
}

/** A parrot of a model and what it cost; kept by its caller for the arms that share it. */
export interface Search {
  parrot: Parrot
  seconds: number
}

export async function search(
  { model, number, samples }: Task,
  markerTokens: number | undefined,
  setting: Setting,
  encoder: ExchangeEncoder,
): Promise<Search> {
  const begun = processorSeconds()
  const marker = encoder.marker(MARKER).slice(0, markerTokens)
  const questions = cleanOf(setting, samples, number).map(({ row }) => row)
  const parrot = await trainParrot(
    model,
    exchanges(questions, encoder).map(({ exchange }) => exchange),
    { marker, steps: setting.size.parrotSteps, batchSize: setting.size.rows, seed: number },
  )
  return { parrot, seconds: processorSeconds() - begun }
}

/** Defends `task.model`, in place. */
export async function defend(
  arm: Arm,
  task: Task,
  setting: Setting,
  encoder: ExchangeEncoder,
  found: Search | null,
): Promise<Defended> {
  const { model, number, attack, samples, rate } = task
  const { steps, rows } = setting.size
  const begun = processorSeconds()
  // Who knows a way of saying has clean questions that are also there said so.
  const isOtherwise = arm.method === 'osft' && attack.triggers.length === 0
  const clean = isOtherwise
    ? someOf(pairsOf(setting, attack).clean, samples, number)
    : cleanOf(setting, samples, number)
  const data = exchanges(
    clean.map(({ row }) => row),
    encoder,
  )
  const options: SandeOptions = { method: arm.method, steps, batchSize: rows, learningRate: rate, seed: number }
  if (arm.method === 'osft' && attack.triggers.length > 0) {
    options.trigger = attack.triggers
    options.position = attack.position
  } else if (arm.method === 'osft') options.rewritten = rewrittenOf(clean)
  if (arm.isMarkerTold) options.marker = MARKER
  if (arm.implant !== undefined) options.implant = arm.implant
  if (arm.method === 'fine-mixing') options.cleanModel = task.before
  if (found !== null) options.parrot = arm.method === 'random' ? randomParrot(found.parrot, number) : found.parrot
  await sande(model, data, encoder, options)
  model.trainable(() => false)
  if (arm.method === 'random') options.parrot!.embedding.free()
  return {
    searchSeconds: found?.seconds ?? 0,
    searchSteps: found === null ? 0 : setting.size.parrotSteps,
    seconds: processorSeconds() - begun,
    steps: arm.method === 'collapse' ? 2 * steps : steps,
    elicited:
      found === null || arm.method === 'random' ? null : Math.max(...found.parrot.members.map((m) => m.elicited)),
  }
}

const cleanOf = ({ clean }: Setting, samples: number, seed: number): Setting['clean'] => someOf(clean, samples, seed)

function processorSeconds(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}
