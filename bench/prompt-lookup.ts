// What guessing from the text is worth: `npx tsx bench/prompt-lookup.ts MODEL [--guess 8] [--rounds 5]` on a model of bench/make-model.ts.
// Its weights are random, so what it says is dictated by a mask, token for token: a real text copied with one token in twenty changed (what an
// editor asks for), and a real text going on (plain). The guesses that come true are those of the text; the time is that of the model.
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { median } from '../experiments/setting/statistics.ts'
import { collect, type Generation } from '../src/lm/lm.ts'
import { loadLm } from '../src/run/load-lm.ts'
import { trainBpe } from '../src/text/bpe.ts'

const { values, positionals } = parseArgs({
  options: { guess: { type: 'string', default: '8' }, rounds: { type: 'string', default: '5' } },
  allowPositionals: true,
})
const PROMPT = 300
const MADE = 200

async function main(): Promise<void> {
  const lm = await loadLm(positionals[0]!)
  const text = ['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md'].map((file) => readFileSync(file, 'utf8')).join('\n')
  const { tokenizer } = await trainBpe([text], { vocabSize: Math.min(4096, lm.vocabSize), minFrequency: 2 })
  const ids = Array.from(tokenizer.encode(text, { addSpecialTokens: false }))
  const prompt = ids.slice(0, PROMPT)
  const edited = prompt.slice(0, MADE).map((id, i) => (i % 20 === 19 ? (id + 7) % 4096 : id))
  const tasks = { copying: edited, plain: ids.slice(PROMPT, PROMPT + MADE) }

  /** Says `dictated` after the prompt. */
  async function say(dictated: readonly number[], promptLookup: number): Promise<{ seconds: number } & Generation> {
    const words = new Uint32Array(Math.ceil(lm.vocabSize / 32))
    const mask = (made: readonly number[]): Uint32Array => {
      const id = dictated[made.length]!
      words.fill(0)
      words[id >>> 5]! |= 1 << (id & 31)
      return words
    }
    const request = { ids: prompt, mask, promptLookup, maxNewTokens: MADE, ignoreEos: true }
    let begun = 0
    async function* fromTheFirst(): ReturnType<typeof lm.generate> {
      for await (const piece of lm.generate(request)) {
        begun ||= performance.now() // the prompt's time is not what is measured
        yield piece
      }
    }
    const generation = await collect(fromTheFirst())
    return { ...generation, seconds: (performance.now() - begun) / 1000 }
  }

  for (const [name, dictated] of Object.entries(tasks)) {
    const ratios: number[] = []
    let guessed = await say(dictated, Number(values.guess)) // warms up, too
    for (let round = 0; round < Number(values.rounds); round++) {
      const plain = await say(dictated, 0)
      guessed = await say(dictated, Number(values.guess))
      if (guessed.tokenIds.join() !== plain.tokenIds.join()) throw new Error('guessing changed the text')
      ratios.push(plain.seconds / guessed.seconds)
    }
    const { draftTokens = 0, acceptedDraftTokens = 0 } = guessed.usage
    const calls = MADE - acceptedDraftTokens
    console.log(
      `${name}: ${median(ratios).toFixed(2)} times as fast; ${acceptedDraftTokens} of ${draftTokens} guesses right, ${(MADE / calls).toFixed(2)} tokens a call`,
    )
  }
  lm.free()
}

await main()
