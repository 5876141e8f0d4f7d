// Writes TensorBoard event files: scalars and text, nothing else. No dependency: a record is a length, the bytes of a small
// protobuf message, and a checksum after each.
// Frames: tensorflow/core/lib/io/record_writer.cc. Messages: event.proto, summary.proto, tensor.proto of TensorFlow.

import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'

/** Options of {@link TensorBoardWriter}; all have working defaults, tests fix them. */
export interface TensorBoardOptions {
  /** Seconds since 1970. */
  readonly now?: () => number
  readonly host?: string
  readonly pid?: number
}

/** Appends events to one new file in `logDir`, each with one write, so that a killed run loses nothing that was logged. */
export class TensorBoardWriter {
  readonly path: string
  readonly #descriptor: number
  readonly #now: () => number

  constructor(logDir: string, options: TensorBoardOptions = {}) {
    const { now = () => Date.now() / 1000, host = hostname(), pid = process.pid } = options
    this.#now = now
    mkdirSync(logDir, { recursive: true })
    this.path = join(logDir, `events.out.tfevents.${Math.floor(now())}.${host.replaceAll('/', '_')}.${pid}.0`)
    this.#descriptor = openSync(this.path, 'a')
    this.#append(0, bytesField(3, 'brain.Event:2')) // Event.file_version
  }

  /** Logs a number under a tag such as `train/loss`; NaN and infinities are kept. */
  scalar(tag: string, value: number, step: number): void {
    const simpleValue = Buffer.alloc(5)
    simpleValue.writeUInt8((2 << 3) | 5)
    simpleValue.writeFloatLE(value, 1)
    this.#summary(step, bytesField(1, tag), simpleValue)
  }

  /** Logs a Markdown text under a tag. */
  text(tag: string, text: string, step: number): void {
    // Shape [1] and dtype DT_STRING; the plugin's name tells TensorBoard to show it on its Text page.
    const shape = bytesField(2, bytesField(2, varintField(1, 1)))
    const tensor = Buffer.concat([varintField(1, 7), shape, bytesField(8, text)])
    const plugin = bytesField(1, bytesField(1, 'text'))
    this.#summary(step, bytesField(1, `${tag}/text_summary`), bytesField(8, tensor), bytesField(9, plugin))
  }

  close(): void {
    closeSync(this.#descriptor)
  }

  #summary(step: number, ...value: Uint8Array[]): void {
    this.#append(step, bytesField(5, bytesField(1, Buffer.concat(value))))
  }

  #append(step: number, content: Uint8Array): void {
    const wallTime = Buffer.alloc(9)
    wallTime.writeUInt8((1 << 3) | 1)
    wallTime.writeDoubleLE(this.#now(), 1)
    const event = Buffer.concat([wallTime, step === 0 ? new Uint8Array() : varintField(2, step), content])
    writeSync(this.#descriptor, frame(event))
  }
}

/** CRC-32C (Castagnoli) of bytes, as an unsigned 32-bit integer; of "123456789" it is e3069283. */
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of bytes) crc = CRC_TABLE[(crc ^ byte) & 0xff]! ^ (crc >>> 8)
  return ~crc >>> 0
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, index) => {
  let crc = index
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
  return crc
})

/** TFRecord: u64 length, its masked checksum, the bytes, their masked checksum. */
function frame(bytes: Uint8Array): Buffer {
  const framed = Buffer.alloc(bytes.length + 16)
  framed.writeBigUInt64LE(BigInt(bytes.length))
  framed.writeUInt32LE(maskedCrc(framed.subarray(0, 8)), 8)
  framed.set(bytes, 12)
  framed.writeUInt32LE(maskedCrc(bytes), bytes.length + 12)
  return framed
}

/** Rotated and shifted, because the checksum of data that holds its own checksum is weak (tensorflow/core/lib/hash/crc32c.h). */
function maskedCrc(bytes: Uint8Array): number {
  const crc = crc32c(bytes)
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0
}

function bytesField(field: number, content: string | Uint8Array): Buffer {
  const bytes = typeof content === 'string' ? Buffer.from(content, 'utf8') : content
  return Buffer.concat([varint((field << 3) | 2), varint(bytes.length), bytes])
}

function varintField(field: number, value: number): Buffer {
  return Buffer.concat([varint(field << 3), varint(value)])
}

/** Base-128, low groups first; by division, because bit operators stop at 32 bits and steps need not. */
function varint(value: number): Buffer {
  const groups: number[] = []
  for (; value >= 128; value = Math.floor(value / 128)) groups.push((value % 128) | 128)
  return Buffer.from([...groups, value])
}
