// What keeping to a structure costs: `npx tsx bench/structure.ts MODEL [--rounds 3] [--out FILE]` on a model of bench/make-model.ts. Its weights
// are random, so strings are random too, which is the hardest for masks: hardly a place comes twice. The time within masks as a share of all,
// for the first text of each schema (compiled, nothing known) and for later ones; and what a text takes with what must come read at once.
import { writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { median } from '../experiments/setting/statistics.ts'
import { compileGrammar, GrammarMasks, TokenTrie } from '../src/grammar/index.ts'
import { collect } from '../src/lm/lm.ts'
import { loadLm } from '../src/run/load-lm.ts'

const { values, positionals } = parseArgs({
  options: { rounds: { type: 'string', default: '3' }, out: { type: 'string' } },
  allowPositionals: true,
})
const TOKENS = 120
const person = {
  properties: {
    name: { type: 'string', maxLength: 60 },
    email: { type: 'string', format: 'email' },
    age: { type: 'integer', minimum: 0, maximum: 150 },
    tags: { type: 'array', items: { enum: ['red', 'green', 'blue'] }, maxItems: 4 },
  },
  required: ['name', 'email', 'age', 'tags'],
}
const SCHEMAS: Readonly<Record<string, unknown>> = {
  person,
  people: { type: 'array', items: person, minItems: 2, maxItems: 3 },
  map: { type: 'object', additionalProperties: { type: 'number' }, minProperties: 3 },
  tree: {
    $defs: { node: { properties: { text: { type: 'string', maxLength: 30 }, kids: { type: 'array', items: { $ref: '#/$defs/node' } } }, required: ['text', 'kids'] } },
    $ref: '#/$defs/node',
  },
  call: { properties: { name: { const: 'search' }, arguments: { properties: { query: { type: 'string', maxLength: 80 }, limit: { type: 'integer', minimum: 1, maximum: 99 } }, required: ['query', 'limit'] } }, required: ['name', 'arguments'] },
  anything: true,
} // biome-ignore format: schemas

async function main(): Promise<void> {
  const lm = await loadLm(positionals[0]!)
  const begun = performance.now()
  const trie = TokenTrie.of(lm.tokenizer!, lm.vocabSize)
  const trieMs = performance.now() - begun
  const endTokenIds = [lm.tokenizer!.eosTokenId!]
  const rows = []
  for (const [name, json_schema] of Object.entries(SCHEMAS)) {
    let masks: GrammarMasks | undefined
    const spent = async (seed: number) => {
      const start = performance.now()
      const grammar = masks === undefined ? compileGrammar({ json_schema }) : undefined
      const compileMs = performance.now() - start
      masks ??= new GrammarMasks(grammar!, trie, { endTokenIds })
      const mask = masks.mask({ maxNewTokens: TOKENS })
      const times: number[] = []
      const timed = (ids: readonly number[]): Uint32Array => {
        const from = performance.now()
        const bits = mask(ids)
        times.push(performance.now() - from)
        return bits
      }
      const request = { prompt: 'JSON: ', maxNewTokens: TOKENS, temperature: 1, seed }
      const { tokenIds, text } = await collect(lm.generate({ ...request, mask: timed }))
      const ms = performance.now() - start
      JSON.parse(text)
      const maskMs = times.reduce((a, b) => a + b, 0)
      return {
        tokens: tokenIds.length,
        ms,
        compileMs,
        maskMs,
        share: (maskMs + compileMs) / ms,
        worst: Math.max(...times),
      }
    }
    const first = await spent(0)
    const later = []
    const asked = []
    for (let seed = 1; seed <= Number(values.rounds); seed++) {
      later.push(await spent(seed))
      const from = performance.now()
      const { tokenIds } = await collect(
        lm.generate({ prompt: 'JSON: ', structure: { json_schema }, maxNewTokens: TOKENS, temperature: 1, seed }),
      )
      asked.push((performance.now() - from) / tokenIds.length)
    }
    const row = {
      schema: name,
      first,
      share: median(later.map(({ share }) => share)),
      maskMs: median(later.map(({ maskMs, tokens }) => maskMs / tokens)),
      worst: Math.max(...later.map(({ worst }) => worst)),
      msPerToken: median(later.map(({ ms, tokens }) => ms / tokens)),
      msPerTokenReadAtOnce: median(asked),
    }
    rows.push(row)
    console.log(
      `${name}: first text ${(100 * first.share).toFixed(1)} % (compiled in ${first.compileMs.toFixed(0)} ms), later ${(100 * row.share).toFixed(1)} %, ` +
        `${row.maskMs.toFixed(3)} ms a token, worst ${row.worst.toFixed(1)}; ${row.msPerToken.toFixed(1)} ms a token, ${row.msPerTokenReadAtOnce.toFixed(1)} with what must come read at once`,
    )
  }
  lm.free()
  const result = {
    processor: cpus()[0]!.model,
    model: positionals[0]!.split('/').at(-1),
    vocabSize: trie.vocabSize,
    trieMs,
    rows,
  }
  if (values.out !== undefined) writeFileSync(values.out, `${JSON.stringify(result, null, 2)}\n`)
}

await main()
