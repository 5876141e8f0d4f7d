// `tsx bench/qlora-bytes.ts DIR`: what the blocks of a QLoRA base take (NF4 with double quantization, the rest in bf16) and what they
// take in bf16, from the tensors themselves.
import { loadDecoder } from '../src/checkpoint/model-directory/load.ts'
import { quantizeModel } from '../src/model/quantize-model.ts'
import { tensorBytes } from './quantize.ts'

const [directory = ''] = process.argv.slice(2)
const model = loadDecoder(directory, { dtype: 'bf16' })
const { layers } = model.model
const before = { blocks: tensorBytes(...layers), model: tensorBytes(model) }
quantizeModel(model, { format: 'nf4', doubleQuant: true })
const after = { blocks: tensorBytes(...layers), model: tensorBytes(model) }
console.log(JSON.stringify({ before, after }))
