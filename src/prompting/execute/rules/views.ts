// A text as whoever reads it may understand it: letters that only look like others, marks that nobody sees, words in pieces, and what is
// written in codes are brought to plain words, so that rules match what is meant.

/** Letters of other scripts, and some of ours, by what they look like. */
const LOOKS: Readonly<Record<string, string>> = Object.fromEntries(
  [
    'аa вb сc ԁd еe ғf ɡg һh іi јj кk ӏl мm нh оo рp ԛq гr ѕs тt υu ѵv ԝw хx уy',
    'αa βb ϲc εe ηn ιi κk νv οo ρp τt υu χx γy ωw ѡw ɩi ɑa ᴀa ʙb ᴄc ᴅd ᴇe ɢg ʜh ɪi ᴊj ᴋk ʟl ᴍm ɴn ᴏo ᴘp ʀr ꜱs ᴛt ᴜu ᴠv ᴡw ʏy ᴢz',
    'ıi łl đd øo ħh ŧt',
  ]
    .join(' ')
    .split(' ')
    .map((pair) => [...pair] as [string, string]),
)
const LONGER: Readonly<Record<string, string>> = { æ: 'ae', œ: 'oe', ß: 'ss', þ: 'th', ...LOOKS }
const UNSEEN = /\p{Default_Ignorable_Code_Point}+/gu

/** Small letters of our alphabet where a letter is or looks like one; nothing that cannot be seen. Signs and spaces stay. */
export function folded(text: string): string {
  if (/^[\x00-\x7f]*$/.test(text)) return text.toLowerCase()
  return text
    .normalize('NFKC')
    .replace(/[\u{e0020}-\u{e007e}]/gu, (tag) => String.fromCharCode(tag.codePointAt(0)! - 0xe0000))
    .replace(UNSEEN, '')
    .normalize('NFD')
    .replace(/\p{M}+/gu, '')
    .toLowerCase()
    .replace(/[^\x00-\x7f]/gu, (letter) => LONGER[letter] ?? letter)
}

/** Words alone, one space between them. */
export const words = (text: string): string => text.replace(/[^a-z0-9\p{L}]+/gu, ' ').trim()

/** Letters and digits alone. */
export const letters = (text: string): string => text.replace(/[^a-z0-9\p{L}]+/gu, '')

const LEET: Readonly<Record<string, string>> = {
  '0': 'o',
  '1': 'i',
  '3': 'e',
  '4': 'a',
  '5': 's',
  '7': 't',
  '8': 'b',
  '9': 'g',
  '@': 'a',
  $: 's',
  '!': 'i',
  '|': 'l',
  '+': 't',
}

/** Digits and signs within words as the letters that they stand for. */
function unleet(text: string, one: string): string {
  return text.replace(/[a-z0-9@$!|+]+[a-z0-9@$]/g, (word) =>
    /[a-z]/.test(word) && /[0-9@$!|+]/.test(word)
      ? word.replace(/[^a-z]/g, (sign) => (sign === '1' || sign === '!' ? one : (LEET[sign] ?? sign)))
      : word,
  )
}

/** A text in several plain forms. */
export interface Views {
  /** As it stands, folded: for marks and control tokens. */
  readonly marks: readonly string[]
  /** As words. */
  readonly words: readonly string[]
  /** Where letters stand alone, one behind another, those letters. */
  readonly runs: readonly string[]
  /** All letters without a space. */
  readonly letters: readonly string[]
}

/** The plain forms of a text and of what is encoded in it. */
export function viewsOf(text: string): Views {
  const marks = [...new Set([text, withoutTags(text), ...decoded(text)].map(folded))]
  const read = marks.flatMap((one) => [
    words(one),
    ...(/[a-z][0-9@$!|+]|[0-9@$!|+][a-z]/.test(one) ? [words(unleet(one, 'i')), words(unleet(one, 'l'))] : []),
  ])
  return {
    marks,
    words: [...new Set(read)],
    runs: marks.flatMap((one) => (one.match(ALONE) ?? []).map(letters)),
    letters: [...new Set(marks.map(letters))],
  }
}

const ALONE = /(?<![a-z0-9])(?:[a-z0-9][^a-z0-9]{1,3}){7,}[a-z0-9](?![a-z0-9])/g
/** Without what parts words and is not seen when they are shown. */
const withoutTags = (text: string): string =>
  text.replace(/<\/?[a-zA-Z][^<>]{0,200}>|\*+|__|~~|`|(?<=[a-zA-Z])[-.](?=[a-zA-Z])/g, '')

/** What a text holds in codes that models read: base64, hexadecimal, character numbers, escapes, rot13, backwards, texts in pieces. */
function decoded(text: string): string[] {
  const found: string[] = []
  const add = (made: string): void => {
    if (made.length >= 8 && isText(made)) found.push(made)
  }
  for (const [code] of text.matchAll(/[A-Za-z0-9+/_-]{16,}={0,2}/g)) {
    add(Buffer.from(code, 'base64').toString('latin1'))
    if (/^[A-Z2-7]+=*$/.test(code)) add(fromBase32(code))
  }
  for (const [code] of text.matchAll(/(?:(?:0x|\\x)?[0-9a-fA-F]{2}[\s,:]?){8,}/g))
    add(Buffer.from(code.replace(/0x|\\x|[\s,:]/g, ''), 'hex').toString('latin1'))
  for (const [code] of text.matchAll(/(?:\b\d{2,3}\b[\s,]*){8,}/g))
    add((code.match(/\d+/g) ?? []).map((number) => String.fromCharCode(Number(number))).join(''))
  for (const [code] of text.matchAll(/(?:\b[01]{8}\b\s*){8,}/g))
    add((code.match(/[01]{8}/g) ?? []).map((bits) => String.fromCharCode(Number.parseInt(bits, 2))).join(''))
  const plain = text
    .replace(/%([0-9a-fA-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
    .replace(/\\u\{?([0-9a-fA-F]{4})\}?|&#x([0-9a-fA-F]{2,6});/g, (_, a?: string, b?: string) =>
      character(Number.parseInt(a ?? b ?? '', 16)),
    )
    .replace(/&#(\d{2,7});/g, (_, number: string) => character(Number(number)))
    .replace(/&(lt|gt|amp|quot|nbsp);/g, (_, name: string) => ENTITIES[name] ?? ' ')
  if (plain !== text) found.push(plain)
  const pieces = [...text.matchAll(/"([^"\n]{1,200})"|'([^'\n]{1,200})'/g)].map(([, a, b]) => a ?? b)
  if (pieces.length >= 2) found.push(pieces.join(''), pieces.join(' '))
  found.push(
    text.replace(/[a-zA-Z]/g, (letter) => {
      const base = letter <= 'Z' ? 65 : 97
      return String.fromCharCode(((letter.charCodeAt(0) - base + 13) % 26) + base)
    }),
    [...text].reverse().join(''),
  )
  return found
}

const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', nbsp: ' ' }
const character = (code: number): string => (code <= 0x10ffff ? String.fromCodePoint(code) : ' ')

function fromBase32(code: string): string {
  let bits = 0
  let value = 0
  let made = ''
  for (const letter of code.replace(/=+$/, '')) {
    value = ((value << 5) | 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(letter)) & 0xffff
    bits += 5
    if (bits < 8) continue
    bits -= 8
    made += String.fromCharCode((value >> bits) & 0xff)
  }
  return made
}

/** Whether it is text that somebody wrote and not noise: nearly all of it letters, digits, spaces and common signs. */
function isText(made: string): boolean {
  const good = made.match(/[A-Za-z0-9 .,:;!?'"()<>|_\n-]/g)?.length ?? 0
  return good >= made.length * 0.92 && /[a-zA-Z]{3}/.test(made)
}
