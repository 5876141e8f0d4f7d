// Numbers of transfer as people read them.
import { expect, it } from 'vitest'
import type { TransferResult } from './transfer-result.ts'
import { correlationTable, mitigationTable } from './transfer-tables.ts'

it('gives no sign to what rounds to 0', () => {
  const result = {
    source: 'en',
    rows: [
      { setting: 'dpo', language: 'en', mitigation: -0.04 },
      { setting: 'dpo', language: 'da', mitigation: -0.06 },
    ],
    correlations: [{ setting: 'dpo', predictor: 'share', perSeed: [], languages: { rho: -1e-17, p: 1, n: 3 } }],
  } as unknown as TransferResult
  expect(mitigationTable(result).rows).toEqual([['dpo', '0.0', '-0.1']])
  expect(correlationTable(result).rows).toEqual([['dpo', 'share', '0.00\u00a0(1.000,\u00a03)']])
})
