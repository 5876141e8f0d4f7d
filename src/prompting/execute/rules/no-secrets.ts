// Keys, tokens and numbers of cards that look real, written over.

import { WORDINGS } from '../../base/wordings.ts'
import type { Rule } from '../rule.ts'

const SECRETS = [
  /\bsk-[A-Za-z0-9_-]{20,}/g,
  /\bgh[pousr]_[A-Za-z0-9]{36,}/g,
  /\bgithub_pat_[A-Za-z0-9_]{40,}/g,
  /\bAKIA[0-9A-Z]{16}\b/g,
  /\bAIza[0-9A-Za-z_-]{35}/g,
  /\bxox[abprs]-[A-Za-z0-9-]{10,}/g,
  /\bhf_[A-Za-z0-9]{30,}/g,
  /\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}/g,
  // From its first line on, whether or not its last one has come.
  /-----BEGIN [A-Z ]*PRIVATE KEY-----(?:[\s\S]*?-----END [A-Z ]*PRIVATE KEY-----|[\s\S]*)/g,
]
const CARD = /(?<!\d[ -]?)\d(?:[ -]?\d){12,18}(?![ -]?\d)/g

/** Keys, tokens and numbers of cards that look real: written over. Patterns, so a secret that looks like nothing special passes. */
export function noSecrets(): Rule {
  return {
    name: 'no secrets',
    check: (text) => {
      let made = text
      for (const pattern of SECRETS) made = made.replaceAll(pattern, WORDINGS.removed)
      made = made.replaceAll(CARD, (digits) => (isCard(digits) ? WORDINGS.removed : digits))
      return made === text ? undefined : { rewrite: made }
    },
  }
}

/** Luhn's check. */
function isCard(text: string): boolean {
  const digits = text.replaceAll(/\D/g, '')
  let sum = 0
  for (const [i, digit] of [...digits].reverse().entries()) {
    const doubled = i % 2 === 1 ? Number(digit) * 2 : Number(digit)
    sum += doubled > 9 ? doubled - 9 : doubled
  }
  return sum % 10 === 0 && sum > 0
}
