// A teacher, a recipe and seeds for tests of synthesis: two agents in turns, with answers that are refused now and then.
import { hashText } from '../src/files/hash.ts'
import { type Model, modelOf } from '../src/prompting/base/model.ts'
import type { ModelCall } from '../src/prompting/base/model-call.ts'
import { type Recipe, Refused } from '../src/synth/recipe.ts'

/** A teacher whose answers its calls decide, seeds of draws included; they come after a while of their own. */
export function kindTeacher({
  onAnswer = () => {},
  cost,
}: {
  onAnswer?: (call: ModelCall) => void
  cost?: { input: number; output: number }
} = {}): { model: Model; asked: ModelCall[] } {
  const asked: ModelCall[] = []
  const model = modelOf({
    name: 'kind',
    holds: 'none',
    ...(cost !== undefined && { cost }),
    async *answer(call) {
      asked.push(call)
      const { messages, seed = 0, temperature = 1 } = call
      const text = hashText(JSON.stringify([messages, temperature === 0 ? 0 : seed])).slice(0, 12)
      await new Promise((resolve) => setTimeout(resolve, Number.parseInt(text[0]!, 16) / 2))
      call.signal?.throwIfAborted()
      onAnswer(call)
      const usage = { promptTokens: 10, completionTokens: 2, reasoningTokens: 0 }
      yield { deltas: [{ type: 'text', text }], tokenIds: [], finishReason: 'stop', usage }
    },
  })
  return { model, asked }
}

export interface TurnRow {
  topic: string
  drawn: number
  turns: readonly string[]
}

/** A client and a counsellor in turns; answers with a `0` first are refused. */
export const turnRecipe: Recipe<{ topic: string }, TurnRow, string> = {
  name: 'turns',
  setup: { wording: 1 },
  prepare: ({ model }) => model.ask('A style?', { temperature: 0 }),
  async make({ topic }, { model, random, attempt }, style) {
    const turns: string[] = []
    for (const role of ['client', 'counsellor', 'client'])
      turns.push(
        await attempt(async (refused) => {
          const reasons = refused.map(({ message }) => message).join(' ')
          const said = await model.ask(`${style} ${role} ${topic} ${turns.join(' ')} ${reasons}`)
          if (/^[0-7]/.test(said)) throw new Refused(`begins with ${said[0]}`, said)
          return said
        }),
      )
    return { topic, drawn: random.below(100), turns }
  },
  textsOf: ({ turns }) => turns,
}

export const turnSeeds = (count: number): { topic: string }[] =>
  Array.from({ length: count }, (_, i) => ({ topic: `topic ${i}` }))
