// A question probe as one small safetensors file; what it was fitted to stands in its metadata.
import { readFileSync } from 'node:fs'
import { InputError, messageOf } from '../../errors.ts'
import { GATE_LABELS, type GateLabel } from '../../eval/gates/gate-record.ts'
import { writeFileAtomic } from '../../files/atomic-write.ts'
import type { ModelInfo } from '../../lm/lm.ts'
import { PROBE_READINGS, type ProbeLayer, type QuestionProbe } from './question-probe.ts'

interface TensorPlace {
  dtype: string
  shape: number[]
  data_offsets: [number, number]
}

const MOST_HEADER_BYTES = 1 << 20
/** The second has `reading`; who knows the first alone would read the question elsewhere. */
const FORMATS = [1, 2]

/** Writes a probe as a whole: `layers.N.weight` [outputs, inputs], `layers.N.bias`, `check`, all f32. */
export function writeQuestionProbe(path: string, probe: QuestionProbe): void {
  const { layers, check, ...told } = probe
  const tensors = [
    { name: 'check', shape: [check.length], values: check },
    ...layers.flatMap(({ weight, bias }, k) => [
      { name: `layers.${k}.bias`, shape: [bias.length], values: bias },
      { name: `layers.${k}.weight`, shape: [bias.length, weight.length / bias.length], values: weight },
    ]),
  ]
  const header: Record<string, unknown> = {
    __metadata__: {
      format: 'pt',
      question_probe: JSON.stringify({ version: probe.reading === 'prompt' ? 2 : 1, ...told }),
    },
  }
  let at = 0
  for (const { name, shape, values } of tensors) {
    header[name] = { dtype: 'F32', shape, data_offsets: [at, at + 4 * values.length] }
    at += 4 * values.length
  }
  const text = Buffer.from(JSON.stringify(header))
  const padded = Buffer.alloc(Math.ceil(text.length / 8) * 8, ' ')
  text.copy(padded)
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(padded.length))
  const data = Buffer.alloc(at)
  let place = 0
  for (const { values } of tensors) for (const value of values) place = data.writeFloatLE(value, place)
  writeFileAtomic(path, Buffer.concat([length, padded, data]))
}

/** Reads one. InputError for a file that is none. */
export function readQuestionProbe(path: string): QuestionProbe {
  try {
    return parsed(readFileSync(path))
  } catch (cause) {
    throw new InputError(`${path}: expected a probe of anneal gate fit, got another file: ${messageOf(cause)}`, {
      cause,
    })
  }
}

function parsed(bytes: Buffer): QuestionProbe {
  const length = bytes.length < 8 ? Number.NaN : Number(bytes.readBigUInt64LE())
  if (!(length <= Math.min(MOST_HEADER_BYTES, bytes.length - 8))) throw new Error('it is not in the safetensors format')
  const header = JSON.parse(bytes.subarray(8, 8 + length).toString()) as Record<string, TensorPlace> & {
    __metadata__?: Record<string, string>
  }
  const told = JSON.parse(header.__metadata__?.question_probe ?? 'null') as
    | (Omit<QuestionProbe, 'layers' | 'check'> & { version: number })
    | null
  if (told === null) throw new Error('it holds other tensors')
  if (!FORMATS.includes(told.version))
    throw new Error(`it is of version ${told.version}, and ${FORMATS.join(' and ')} are known`)
  const tensor = (name: string): { shape: readonly number[]; values: Float32Array } => {
    const place = header[name]
    const [from, to] = place?.data_offsets ?? [Number.NaN, Number.NaN]
    const size = place?.shape.reduce((product, side) => product * side, 1)
    if (place?.dtype !== 'F32' || to - from !== 4 * size! || from < 0 || 8 + length + to > bytes.length)
      throw new Error(`its ${name} is missing or cut off`)
    const values = Float32Array.from({ length: size! }, (_, i) => bytes.readFloatLE(8 + length + from + 4 * i))
    if (!values.every(Number.isFinite)) throw new Error(`its ${name} is not finite`)
    return { shape: place.shape, values }
  }
  const layers: ProbeLayer[] = []
  let inputs = told.width
  for (let k = 0; Object.hasOwn(header, `layers.${k}.weight`); k++) {
    const [weight, bias] = [tensor(`layers.${k}.weight`), tensor(`layers.${k}.bias`)]
    if (weight.shape[1] !== inputs || weight.shape[0] !== bias.values.length)
      throw new Error(`its layer ${k} does not fit the one before it`)
    inputs = bias.values.length
    layers.push({ weight: weight.values, bias: bias.values })
  }
  const check = tensor('check').values
  if (layers.length === 0 || inputs !== 1 || check.length !== told.width) throw new Error('it is no classifier')
  const { model, layer, width, label, reading } = told
  if (reading !== undefined && !PROBE_READINGS.includes(reading)) throw new Error(`its reading is ${String(reading)}`)
  // JSON has no infinity: null is a gate that never looks up.
  const threshold = told.threshold ?? Number.POSITIVE_INFINITY
  checkTold(model, layer, label, threshold)
  return { model, layer, width, ...(reading !== undefined && { reading }), label, threshold, layers, check }
}

function checkTold(model: ModelInfo, layer: number, label: GateLabel, threshold: number): void {
  if (typeof model?.name !== 'string') throw new Error('it does not name its model')
  if (!Number.isSafeInteger(layer) || layer < 0) throw new Error('it does not name its layer')
  if (!GATE_LABELS.includes(label)) throw new Error(`its label is ${String(label)}`)
  if (typeof threshold !== 'number') throw new Error('it has no threshold')
}
