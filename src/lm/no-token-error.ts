// The error of a text that no token may follow.

import { UsageError } from '../errors.ts'

/** Nothing may come next: what a mask, a structure or `accept` leaves is no token at all. */
export class NoTokenError extends UsageError {}
