import { expect, it } from 'vitest'
import { resolveWindows } from '../run/edit/edit-windows.ts'
import { parseQprunerConfig } from '../run/qpruner/config.ts'
import { TEXT_OPTIONS } from './edit-options.ts'

it('draws the same windows where nothing is said: in the library, on the command line, and in a file', () => {
  const { evalData, data, maxLength, ...drawn } = resolveWindows({ data: ['x'] }, {
    maxPositionEmbeddings: 4096,
  } as Parameters<typeof resolveWindows>[1])
  const { samples, 'batch-size': batchSize, 'text-column': textColumn, seed } = TEXT_OPTIONS
  expect(drawn).toEqual({
    samples: samples.default,
    batchSize: batchSize.default,
    textColumn: textColumn.default,
    seed: seed.default,
  })
  expect(TEXT_OPTIONS['max-length'].summary).toContain(`without it ${maxLength}, or the model's context`)
  const text = 'model_name_or_path: a\ndataset: [b]\noutput_dir: c\nquantize: {budget_bits: 4}\n'
  const { config } = parseQprunerConfig(text, 'q.yaml')
  const { calibration, text_column, seed: chance } = config
  expect({ ...calibration, text_column, seed: chance }).toEqual({
    samples: drawn.samples,
    batch_size: drawn.batchSize,
    text_column: drawn.textColumn,
    seed: drawn.seed,
  })
})
