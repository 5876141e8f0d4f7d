// What tuning in one language did to the others: transfer.json.
import type { KnownLanguage, Transfer } from '../../eval/transfer/transfer.ts'

/** What transfer.json holds. */
export interface TransferResult extends Transfer {
  metric: string
  known: KnownLanguage[]
}
