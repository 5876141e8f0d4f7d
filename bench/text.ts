// Rates of the text side in MB/s: training a BPE tokenizer, encoding, decoding. `tsx bench/text.ts FILE VOCAB`; prints one JSON object.
import { readFileSync } from 'node:fs'
import { trainBpe } from '../src/text/bpe.ts'

const [file = '', vocab = '8192'] = process.argv.slice(2)
const text = readFileSync(file, 'utf8')
const megabytes = Buffer.byteLength(text) / 1e6
// Documents of about 4 kB, cut at line ends.
const documents = text.match(/[\s\S]{1,4000}(?:\n|$)/g) ?? [text]

async function main(): Promise<void> {
  const timed = async <T>(work: () => T | Promise<T>): Promise<[T, number]> => {
    const begun = performance.now()
    const result = await work()
    return [result, megabytes / ((performance.now() - begun) / 1000)]
  }
  const [{ tokenizer }, train] = await timed(() => trainBpe(documents, { vocabSize: Number(vocab), minFrequency: 2 }))
  const [, cold] = await timed(() => documents.map((document) => tokenizer.encode(document)))
  const [ids, warm] = await timed(() => documents.map((document) => tokenizer.encode(document)))
  const [, decode] = await timed(() => ids.map((list) => tokenizer.decode(list)))
  const tokens = ids.reduce((sum, list) => sum + list.length, 0)
  console.log(
    JSON.stringify({
      megabytes,
      vocab_size: tokenizer.vocabSize,
      tokens,
      train_mb_per_s: train,
      encode_cold_mb_per_s: cold,
      encode_mb_per_s: warm,
      decode_mb_per_s: decode,
    }),
  )
}

void main()
