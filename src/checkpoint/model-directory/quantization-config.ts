// `quantization_config` of config.json for weights that Anneal quantized: which module is stored in which format. Other programs'
// formats are refused in model/config.ts.
import { z } from 'zod'
import { InputError } from '../../errors.ts'
import type { JsonObject } from '../../model/config-fields.ts'
import { QUANT_FORMATS, type QuantSpec, resolveSpec } from '../../nn/quant/format.ts'

const schema = z.strictObject({
  quant_method: z.literal('anneal'),
  modules: z.record(
    z.string().min(1),
    z.strictObject({
      format: z.enum(QUANT_FORMATS),
      block_size: z.int().optional(),
      double_quant: z.boolean().optional(),
      symmetric: z.boolean().optional(),
    }),
  ),
})

/** Module path → format; empty where `config` (a parsed config.json) has no quantized weights. `file` is for messages. */
export function readQuantization(config: JsonObject, file: string): Map<string, QuantSpec> {
  const section = config.quantization_config ?? null
  return section === null ? new Map() : parseQuantization(section, `model config in ${file}: quantization_config`)
}

/** The section itself → module path → format; InputError that begins with `what`. */
export function parseQuantization(section: unknown, what: string): Map<string, QuantSpec> {
  const parsed = schema.safeParse(section)
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!
    throw new InputError(`${what}.${issue.path.join('.')}: ${issue.message}`)
  }
  return new Map(
    Object.entries(parsed.data.modules).map(([path, stored]) => {
      const { format, block_size, double_quant, symmetric } = stored
      const options = {
        format,
        // int8 without it is one scale a row, which was all that there was.
        ...((block_size !== undefined || format === 'int8') && { blockSize: block_size ?? 0 }),
        ...(double_quant !== undefined && { doubleQuant: double_quant }),
        ...(symmetric !== undefined && { symmetric }),
      }
      try {
        return [path, resolveSpec(options)]
      } catch (error) {
        throw new InputError(`${what}.modules.${path}: ${(error as Error).message}`, { cause: error })
      }
    }),
  )
}

/** The section for these modules, undefined for none. */
export function formatQuantization(modules: Iterable<[path: string, spec: QuantSpec]>): JsonObject | undefined {
  const entries = Array.from(modules, ([path, { format, blockSize, doubleQuant, symmetric }]): [string, JsonObject] => [
    path,
    {
      format,
      ...(blockSize > 0 && { block_size: blockSize }),
      ...(format.startsWith('nf') && { double_quant: doubleQuant }),
      ...(format === 'int4' && { symmetric }),
    },
  ])
  return entries.length === 0 ? undefined : { quant_method: 'anneal', modules: Object.fromEntries(entries) }
}
