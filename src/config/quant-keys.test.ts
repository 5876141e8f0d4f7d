import { describe, expect, it } from 'vitest'
import { parseConfig } from './parse.ts'
import { baseFormat } from './quant-keys.ts'

const BASE = 'stage: sft\nmodel_name_or_path: m\ndataset: d.jsonl\noutput_dir: o\n'
const LORA = `${BASE}finetuning: lora\n`
const formatOf = (text: string): unknown => baseFormat(parseConfig(text, 'c.yaml').config)

describe('the keys of a quantized base', () => {
  it('mean what they mean elsewhere', () => {
    expect(formatOf(LORA)).toBeUndefined()
    expect(formatOf(`${LORA}load_in_4bit: true`)).toEqual({ format: 'nf4', doubleQuant: false })
    const double = 'load_in_4bit: true\nbnb_4bit_quant_type: nf4\nbnb_4bit_use_double_quant: true'
    expect(formatOf(LORA + double)).toEqual({ format: 'nf4', doubleQuant: true })
    expect(formatOf(`${LORA}load_in_4bit: true\nbnb_4bit_quant_type: int4`)).toEqual({
      format: 'int4',
      doubleQuant: false,
    })
    expect(formatOf(`${LORA}load_in_8bit: true`)).toEqual({ format: 'int8' })
    expect(formatOf(`${LORA}quantization_bit: 8`)).toEqual({ format: 'int8' })
    expect(formatOf(`${LORA}quantization_bit: 4\ndouble_quantization: true`)).toEqual({
      format: 'nf4',
      doubleQuant: true,
    })
    expect(formatOf(`${BASE}adapter: qlora\nload_in_4bit: true`)).toEqual({ format: 'nf4', doubleQuant: false })
    expect(formatOf(`${BASE}finetuning: prompt\nload_in_4bit: true`)).toEqual({ format: 'nf4', doubleQuant: false })
  })

  it('may be written as off with any kind of fine-tuning', () => {
    expect(formatOf(`${BASE}load_in_4bit: false\nload_in_8bit: false`)).toBeUndefined()
  })

  it.each([
    [
      `${BASE}load_in_4bit: true`,
      'load_in_4bit: expected finetuning: lora, dora, prompt with it, got finetuning: full',
    ],
    [`${BASE}finetuning: freeze\nload_in_8bit: true`, 'Weights that move cannot be quantized'],
    [`${LORA}load_in_4bit: true\nload_in_8bit: true`, 'expected load_in_4bit or load_in_8bit, got both'],
    [`${LORA}load_in_4bit: true\nquantization_bit: 8`, 'quantization_bit: expected it without load_in_4bit'],
    [`${LORA}quantization_bit: 3`, 'quantization_bit: expected 4 or 8, got 3'],
    [`${LORA}bnb_4bit_quant_type: nf4`, 'bnb_4bit_quant_type: expected load_in_4bit: true with it'],
    [`${LORA}load_in_8bit: true\nbnb_4bit_use_double_quant: true`, 'expected load_in_4bit: true with it'],
    [
      `${LORA}load_in_4bit: true\nbnb_4bit_quant_type: int4\nbnb_4bit_use_double_quant: true`,
      'expected it with bnb_4bit_quant_type: nf4, got int4',
    ],
    [`${LORA}load_in_4bit: true\nbnb_4bit_quant_type: fp4`, 'bnb_4bit_quant_type: expected'],
  ])('contradict nothing: %j', (text, message) => {
    expect(() => parseConfig(text, 'c.yaml')).toThrow(message)
  })
})
