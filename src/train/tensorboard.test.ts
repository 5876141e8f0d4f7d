import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { crc32c, TensorBoardWriter } from './tensorboard.ts'

const directory = mkdtempSync(join(tmpdir(), 'anneal-tensorboard-'))
afterAll(() => rmSync(directory, { recursive: true }))

// The same three events written by TensorBoard 2.21 itself (RecordWriter over Event, Summary and TensorProto messages).
const GOLDEN =
  '1800000000000000a37f4b22' +
  '0900005040fc54d9411a0d627261696e2e4576656e743a32' +
  'e4258d28' +
  '2100000000000000017becf6' +
  '0900009040fc54d94110ac022a130a110a0a747261696e2f6c6f737315000020405a1d1f09' +
  '4b000000000000008709999609' +
  '0000d040fc54d941108080808080202a390a370a13636f6e6669672f746578745f73756d6d617279' +
  '42160807120412020801420c6772c3b6c39f6520f09f99824a080a060a0474657874' +
  '39427aa1'

/** Splits TFRecord frames and checks both checksums of each, by the formula of tensorflow/core/lib/hash/crc32c.h. */
function readFrames(bytes: Buffer): Buffer[] {
  const frames: Buffer[] = []
  for (let at = 0; at < bytes.length; ) {
    const length = Number(bytes.readBigUInt64LE(at))
    expect(unmask(bytes.readUInt32LE(at + 8))).toBe(crc32c(bytes.subarray(at, at + 8)))
    const content = bytes.subarray(at + 12, at + 12 + length)
    expect(unmask(bytes.readUInt32LE(at + 12 + length))).toBe(crc32c(content))
    frames.push(content)
    at += length + 16
  }
  return frames
}

function unmask(masked: number): number {
  const rotated = (masked - 0xa282ead8) >>> 0
  return ((rotated >>> 17) | (rotated << 15)) >>> 0
}

describe('crc32c', () => {
  it('gives the check value of the standard', () => {
    expect(crc32c(Buffer.from('123456789')).toString(16)).toBe('e3069283')
  })

  it('gives the vectors of RFC 3720, B.4', () => {
    expect(crc32c(new Uint8Array(32)).toString(16)).toBe('8a9136aa')
    expect(crc32c(new Uint8Array(32).fill(0xff)).toString(16)).toBe('62a8ab43')
    expect(crc32c(Uint8Array.from({ length: 32 }, (_, index) => index)).toString(16)).toBe('46dd794e')
  })
})

describe('TensorBoardWriter', () => {
  it('writes the bytes that TensorBoard writes', () => {
    let seconds = 1_700_000_000.25
    const writer = new TensorBoardWriter(join(directory, 'golden'), { now: () => seconds++, host: 'node/7', pid: 42 })
    writer.scalar('train/loss', 2.5, 300)
    writer.text('config', 'größe 🙂', 2 ** 40)
    writer.close()
    expect(readdirSync(join(directory, 'golden'))).toEqual(['events.out.tfevents.1700000000.node_7.42.0'])
    expect(readFileSync(writer.path).toString('hex')).toBe(GOLDEN)
  })

  it('leaves a whole event on disk at every call, without a flush', () => {
    const writer = new TensorBoardWriter(join(directory, 'live'))
    expect(readFrames(readFileSync(writer.path)).length).toBe(1)
    writer.scalar('train/loss', Number.NaN, 0)
    expect(readFrames(readFileSync(writer.path)).length).toBe(2)
    writer.close()
  })

  it('frames any tag, text and step so that checksums hold and the step can be read back', () => {
    const writer = new TensorBoardWriter(join(directory, 'any'))
    const expected: number[] = []
    const event = fc.tuple(
      fc.string({ unit: 'grapheme' }),
      fc.string({ unit: 'grapheme', maxLength: 400 }),
      fc.maxSafeNat(),
    )
    fc.assert(
      fc.property(event, ([tag, text, step]) => {
        writer.text(tag, text, step)
        expected.push(step)
      }),
    )
    writer.close()
    const [, ...frames] = readFrames(readFileSync(writer.path))
    expect(frames.map(stepOf)).toEqual(expected)
  })
})

/** Event.step, field 2, which follows the nine bytes of wall_time; absent means 0. */
function stepOf(event: Buffer): number {
  if (event[9] !== 0x10) return 0
  let step = 0
  for (let at = 10, scale = 1; ; at++, scale *= 128) {
    step += (event[at]! & 127) * scale
    if (event[at]! < 128) return step
  }
}
