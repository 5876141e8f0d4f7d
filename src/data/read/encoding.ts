// What a text that is not UTF-8 may be encoded in: a guess for people, from what is typical of the common encodings.

const KANA = /[\u3040-\u30ff]/g
const HANGUL = /[\uac00-\ud7a3]/g

/** The likely encoding as iconv names it; undefined where nothing speaks for one. */
export function likelyEncoding(bytes: Uint8Array): string | undefined {
  const zeros = count(bytes, (byte) => byte === 0)
  if (zeros > 0.6 * bytes.length) return 'UTF-32'
  if (zeros > 0.2 * bytes.length) return 'UTF-16'
  const high = count(bytes, (byte) => byte >= 0x80)
  if (zeros > 0 || high === 0) return undefined
  if (high < 0.3 * bytes.length) return 'WINDOWS-1252'
  if (share(bytes, KANA, 'shift_jis') > 0.1) return 'SHIFT_JIS'
  // Cyrillic letters are the upper quarter, small ones the upper half of it, or the lower one in KOI8.
  const upper = count(bytes, (byte) => byte >= 0xc0)
  if (upper > 0.95 * high) return count(bytes, (byte) => byte >= 0xe0) > upper / 2 ? 'WINDOWS-1251' : 'KOI8-R'
  return share(bytes, HANGUL, 'euc-kr') > 0.3 ? 'EUC-KR' : 'GB18030'
}

function count(bytes: Uint8Array, isCounted: (byte: number) => boolean): number {
  let found = 0
  for (const byte of bytes) if (isCounted(byte)) found++
  return found
}

/** The share of such letters in the text if it is in this encoding, else 0. */
function share(bytes: Uint8Array, letters: RegExp, encoding: string): number {
  const text = new TextDecoder(encoding).decode(bytes)
  return text.includes('\ufffd') ? 0 : (text.match(letters)?.length ?? 0) / text.length
}
