// What could lead to a person is replaced by values that lead to nobody: e-mail addresses and public IP addresses as FineWeb does,
// telephone numbers and Danish CPR numbers where they are asked for. Every replacement is counted.

/** Kinds of what is replaced. */
export type PiiKind = 'email' | 'ip' | 'phone' | 'cpr'

/** Which are replaced. */
export type PiiOptions = Readonly<Record<PiiKind, boolean>>

export const PII: PiiOptions = { email: true, ip: true, phone: false, cpr: false }

/** What stands in their places: addresses that are nobody's. */
export const REPLACEMENTS: Readonly<Record<PiiKind, string>> = {
  email: 'email@example.com',
  ip: '192.0.2.1',
  phone: '+00 00 00 00 00',
  cpr: '000000-0000',
}

const LOCAL = /[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]/
const DOMAIN = /(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?/y
const LONGEST_LOCAL = 64
const IP = /(?<![\d.])(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?![\d.]*\d)/g
/** With a country code, or of eight digits in pairs as in Denmark and Norway. */
const PHONE = /(?<![\d+.,-])(?:(?:\+|00)\d{1,3}[ .-]?(?:\d[ .-]?){6,11}\d|\d{2}(?: \d{2}){3})(?![\d.,-]*\d)/g
const CPR = /(?<!\d)(?:0[1-9]|[12]\d|3[01])(?:0[1-9]|1[0-2])\d{2}[- ]?\d{4}(?!\d)/g

/** The text with replacements, and how many of each kind. */
export function maskPii(
  text: string,
  options: PiiOptions = PII,
): { text: string; counts: Partial<Record<PiiKind, number>> } {
  const counts: Partial<Record<PiiKind, number>> = {}
  const add = (kind: PiiKind): string => {
    counts[kind] = (counts[kind] ?? 0) + 1
    return REPLACEMENTS[kind]
  }
  let masked = text
  if (options.email && masked.includes('@')) masked = maskEmails(masked, () => add('email'))
  if (options.ip && masked.includes('.')) masked = masked.replace(IP, (ip) => (isPublic(ip) ? add('ip') : ip))
  if (options.phone) masked = masked.replace(PHONE, () => add('phone'))
  if (options.cpr) masked = masked.replace(CPR, () => add('cpr'))
  return { text: masked, counts }
}

/** From each @ outwards: a pattern that looks for the name first takes time that grows with the square of a long word. */
function maskEmails(text: string, replacement: () => string): string {
  let masked = ''
  let done = 0
  for (let at = text.indexOf('@'); at !== -1; at = text.indexOf('@', at + 1)) {
    let start = at
    const least = Math.max(done, at - LONGEST_LOCAL)
    while (start > least && LOCAL.test(text[start - 1]!)) start--
    while (start < at && text[start] === '.') start++
    if (start === at || text[at - 1] === '.') continue
    DOMAIN.lastIndex = at + 1
    const domain = DOMAIN.exec(text.length > at + 320 ? text.slice(0, at + 320) : text)
    if (domain === null) continue
    masked += text.slice(done, start) + replacement()
    done = at + 1 + domain[0].length
  }
  return done === 0 ? text : masked + text.slice(done)
}

/** Whether an IPv4 address is one of the open net: private, local, documentation and reserved ones lead to nobody. */
function isPublic(ip: string): boolean {
  const [a, b, c] = ip.split('.').map(Number) as [number, number, number]
  if (a === 0 || a === 10 || a === 127 || a >= 224) return false
  if (a === 100 && b >= 64 && b < 128) return false
  if (a === 169 && b === 254) return false
  if (a === 172 && b >= 16 && b < 32) return false
  if (a === 192 && (b === 168 || (b === 0 && (c === 0 || c === 2)))) return false
  if (a === 198 && (b === 18 || b === 19 || (b === 51 && c === 100))) return false
  return !(a === 203 && b === 0 && c === 113)
}
