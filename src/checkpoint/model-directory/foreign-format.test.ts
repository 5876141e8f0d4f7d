import { deflateSync, gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { hasPickleSuffix, refuseForeignFormat } from './foreign-format.ts'

const REFUSAL = /pickle formats are never read; convert to safetensors$/

describe('refuseForeignFormat', () => {
  it.each(['pytorch_model.bin', 'a.pt', 'a.pth', 'a.ckpt', 'a.PKL', 'a.joblib', 'a.npy', 'a.npz', 'a.h5', 'a.keras'])(
    'refuses %s by its suffix',
    (name) => {
      expect(hasPickleSuffix(name)).toBe(true)
      expect(() => refuseForeignFormat(name, Buffer.from('\x08\0\0\0\0\0\0\0{}      '))).toThrow(REFUSAL)
    },
  )

  it.each([
    ['a PyTorch zip', Buffer.from('PK\x03\x04\0\0\x08\x08\0\0\0\0', 'latin1')],
    ['a plain zip', Buffer.from('PK\x03\x04\x14\0\0\0\0\0\0\0', 'latin1')],
    ['legacy PyTorch', Buffer.from('\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.', 'latin1')],
    ['pickle protocol 4', Buffer.from('\x80\x04\x95\x0b\0\0\0\0\0\0\0', 'latin1')],
    ['pickle protocol 0', Buffer.from('cos\nsystem\n(S"id"\ntR.')],
    ['pickle protocol 0, a dict', Buffer.from("(dp0\nS'a'\np1\nI1\ns.")],
    ['compressed joblib', deflateSync('x')],
    ['gzipped joblib', gzipSync('x')],
    ['.npy', Buffer.from('\x93NUMPY\x01\0v\0', 'latin1')],
    ['.h5', Buffer.from('\x89HDF\r\n\x1a\n\0\0\0\0', 'latin1')],
    ['GGUF', Buffer.from('GGUF\x03\0\0\0\0\0\0\0', 'latin1')],
  ])('refuses %s under a safetensors name', (_, bytes) => {
    expect(() => refuseForeignFormat('model.safetensors', bytes)).toThrow(REFUSAL)
  })

  it('lets a safetensors file through whose header length looks like a pickle', () => {
    // A header of 0x0280 = 640 bytes begins with 80 02, the opcode for pickle protocol 2.
    expect(() => refuseForeignFormat('m.safetensors', Buffer.from('\x80\x02\0\0\0\0\0\0{', 'latin1'))).not.toThrow()
  })
})
