// Writes src/torch/ops.gen.ts: one typed wrapper per line of native/ops.txt, from the schemas that LibTorch itself prints.
// `npm run gen` writes, `npm run gen -- --check` fails when the file on disk differs. Run it on the pinned LibTorch.
import { readFileSync, writeFileSync } from 'node:fs'
import { native } from '../src/torch/native.ts'

interface Argument {
  type: string
  name: string
  default: string | undefined
}

/** `aten::sum.dim_IntList(Tensor self, int[1]? dim, *, ScalarType? dtype=None) -> Tensor` → arguments and returns. */
function parseSchema(schema: string): { arguments: Argument[]; returns: string[] } {
  const open = schema.indexOf('(')
  const arrow = schema.lastIndexOf(') -> ')
  const list = (text: string): string[] => (text.trim() === '' ? [] : text.split(/,\s*(?![^[]*\])/))
  const returns = schema.slice(arrow + 5).replace(/^\((.*)\)$/, '$1')
  return {
    arguments: list(schema.slice(open + 1, arrow))
      .filter((part) => part !== '*')
      .map((part) => {
        const [declaration = '', value] = part.split('=')
        const space = declaration.lastIndexOf(' ')
        return {
          type: declaration.slice(0, space).replace(/\(.*?\)/, ''),
          name: declaration.slice(space + 1),
          default: value,
        }
      }),
    returns: list(returns).map((part) => part.split(' ')[0]!.replace(/\(.*?\)/, '')),
  }
}

/** The TypeScript type of an argument and the expression that hands it to the add-on. */
function typeOf(type: string): { ts: string; pass: (name: string) => string } {
  const optional = type.endsWith('?')
  const bare = optional ? type.slice(0, -1) : type
  const plain = (ts: string): { ts: string; pass: (name: string) => string } => ({ ts, pass: (name) => name })
  if (bare === 'Tensor') return { ts: 'Tensor', pass: (name) => (optional ? `${name}?.handle` : `${name}.handle`) }
  if (bare === 'Tensor[]') return { ts: 'readonly Tensor[]', pass: (name) => `handles(${name})` }
  if (bare === 'Tensor?[]') return { ts: 'readonly (Tensor | null)[]', pass: (name) => `handles(${name})` }
  if (bare === 'ScalarType')
    return { ts: 'DType', pass: (name) => (optional ? `${name} && dtypeCode[${name}]` : `dtypeCode[${name}]`) }
  if (bare === 'Generator') return { ts: 'Generator', pass: (name) => `${name}?.handle` }
  if (bare === 'Device' || bare === 'str') return plain('string')
  if (bare === 'bool') return plain('boolean')
  if (bare === 'Scalar') return plain('number | boolean')
  if (/^(int|SymInt|float|Layout|MemoryFormat)$/.test(bare)) return plain('number')
  if (/^(int|SymInt|float)\[\d*\]$/.test(bare))
    return plain(/\d/.test(bare) ? 'number | readonly number[]' : 'readonly number[]')
  throw new Error(`no TypeScript type for ${type}`)
}

const RESERVED = new Set(['self', 'new', 'in', 'function'])
const camel = (name: string): string => {
  const text = name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())
  return RESERVED.has(text) ? 'input' : text
}

function wrapper(qualified: string, name: string): string {
  const [base = '', overload = ''] = qualified.split('.')
  const text = native.schema(base, overload)
  if (text === '') throw new Error(`${qualified} is not an operator of this LibTorch`)
  const schema = parseSchema(text)
  const inPlace = name.endsWith('_')
  const parameters = schema.arguments.map((argument) => {
    const optional = argument.default !== undefined || argument.type.endsWith('?')
    const type = typeOf(argument.type)
    return { name: camel(argument.name), ts: type.ts, pass: type.pass, optional }
  })
  // Optional arguments may only follow required ones; earlier optional ones become `| undefined`.
  const lastRequired = parameters.findLastIndex((parameter) => !parameter.optional)
  const signature = parameters.map((parameter, i) =>
    !parameter.optional
      ? `${parameter.name}: ${parameter.ts}`
      : i < lastRequired
        ? `${parameter.name}: ${parameter.ts} | null | undefined`
        : `${parameter.name}?: ${parameter.ts} | null`,
  )
  const passed = parameters.map((parameter) => {
    const expression = parameter.pass(parameter.name)
    if (!parameter.optional || expression === parameter.name || expression.includes('?.') || expression.includes('&&'))
      return expression
    return `${parameter.name} && ${expression}`
  })
  const variable = `op_${name}`
  const call = `call(${variable} < 0 ? (${variable} = resolve('${base}', '${overload}')) : ${variable}, ${passed.join(', ')})`
  let result: string
  let type: string
  if (inPlace) {
    const first = parameters[0]!
    type = first.ts.startsWith('readonly') ? 'void' : 'Tensor'
    result = type === 'void' ? `  ${call}` : `  ${call}\n  return ${first.name}`
  } else if (schema.returns.length > 1) {
    type = `[${schema.returns.map(() => 'Tensor').join(', ')}]`
    result = `  return wrapAll(${call}) as ${type}`
  } else if (schema.returns[0] === 'Tensor[]') {
    type = 'Tensor[]'
    result = `  return wrapAll(${call})`
  } else if (schema.returns[0]!.startsWith('Tensor')) {
    type = 'Tensor'
    result = `  return wrap(${call} as number)`
  } else {
    type = schema.returns[0] === 'bool' ? 'boolean' : 'number'
    result = `  return ${call} as ${type}`
  }
  return `/** \`${text}\` */\nexport function ${name}(${signature.join(', ')}): ${type} {\n${result}\n}\nlet ${variable} = -1\n`
}

const lines = readFileSync(new URL('../native/ops.txt', import.meta.url), 'utf8').split('\n')
const entries = lines.map((line) => line.trim()).filter((line) => line !== '' && !line.startsWith('#'))
const output = `// GENERATED by scripts/gen-ops.ts from native/ops.txt and LibTorch's own schemas. Do not edit; run \`npm run gen\`.
import { type DType, dtypeCode } from './dtype.ts'
import { native, resolve } from './native.ts'
import type { Generator } from './random.ts'
import { handles, type Tensor, wrap, wrapAll } from './tensor.ts'

const call = native.call

${entries.map((entry) => wrapper(...(entry.split(/\s+/) as [string, string]))).join('\n')}`

const target = new URL('../src/torch/ops.gen.ts', import.meta.url)
if (process.argv.includes('--check')) {
  if (readFileSync(target, 'utf8') !== output) {
    console.error(
      'src/torch/ops.gen.ts differs from what native/ops.txt generates: run `npm run gen` and commit the result',
    )
    process.exitCode = 1
  }
} else {
  writeFileSync(target, output)
  console.error(`${entries.length} operators written to src/torch/ops.gen.ts`)
}
