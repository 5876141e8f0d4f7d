// A teacher of rules: it writes dialogues of the template world, and takes all that it knows of counsellor, therapy, client and question
// out of the slots of the prompt. The same prompt and seed give the same answer. It can fill any prompt of the method's English wordings.
import { PythonRandom } from '../../src/eval/python-random.ts'
import { hashOf } from '../../src/files/hash.ts'
import { readLines } from '../../src/methods/psydt/turns.ts'
import { type Deed, TRAITS } from '../../src/methods/psydt/wording-slots.ts'
import { PSYDT_WORDINGS } from '../../src/methods/psydt/wordings.ts'
import { type Hold, type Model, modelOf } from '../../src/prompting/base/model.ts'
import {
  clientTurn,
  counsellorTurn,
  type Manner,
  mannerOf,
  NEUTRAL,
  pick,
  shortStage,
  stageOf,
  TOPICS,
} from './world.ts'

const { traits } = PSYDT_WORDINGS.en

/** What stands between the marks of a slot; undefined where there is none. */
const slot = (prompt: string, name: string): string | undefined =>
  new RegExp(`<${name}>\n([\\s\\S]*?)\n</${name}>`).exec(prompt)?.[1]

const counsellorTexts = (dialogue: string): string[] =>
  readLines(dialogue).turns.flatMap(({ speaker, text }) => (speaker === 'counsellor' ? [text] : []))

/** A teacher. With `holds: 'masks'` it writes JSON wherever it is asked for a value. */
export function ruleTeacher({ holds = 'none' }: { holds?: Hold } = {}): Model {
  return modelOf({
    name: 'rules',
    holds,
    async *answer({ messages, seed }) {
      const asked = String(messages.at(-1)!.content)
      const random = new PythonRandom(Number.parseInt(hashOf(asked, String(seed)).slice(0, 8), 16))
      const text = answerTo(asked, random)
      const usage = { promptTokens: asked.length >> 2, completionTokens: text.length >> 2, reasoningTokens: 0 }
      yield { deltas: [{ type: 'text', text }], tokenIds: [], finishReason: 'stop', usage }
    },
  })
}

function answerTo(asked: string, random: PythonRandom): string {
  const has = (name: string): boolean => slot(asked, name) !== undefined
  if (has('record')) return dialogue(asked, random)
  if (has('case') && has('said')) return counsellorAnswer(asked, random)
  if (has('said')) return clientAnswer(asked, random)
  if (has('problem')) return asked.includes('Big Five') ? profile(asked) : opening(asked, random)
  return asked.includes('Which of these therapies') ? therapy(asked) : style(asked)
}

/** The summary of a case is measured on it, and written so that it can be read again. */
function style(asked: string): string {
  const { opening, questions, words } = mannerOf(counsellorTexts(slot(asked, 'case')!))
  return `${opening === '' ? 'No fixed opening' : `Opens with "${opening}"`}. Questions in ${Math.round(100 * questions)} % of turns. About ${Math.round(words)} words a turn.`
}

function readStyle(text: string | undefined): Manner {
  if (text === undefined) return NEUTRAL
  const number = (pattern: RegExp, otherwise: number): number => Number(pattern.exec(text)?.[1] ?? otherwise)
  return {
    opening: /Opens with "([^"]*)"/.exec(text)?.[1] ?? '',
    questions: number(/Questions in (\d+) %/, 100 * NEUTRAL.questions) / 100,
    words: number(/About (\d+) words/, NEUTRAL.words),
  }
}

const stemsIn = (text: string): Set<string> =>
  new Set((text.toLowerCase().match(/[a-z]{5,}/g) ?? []).map((word) => word.slice(0, 5)))

/** The type on the list whose description shares the most words with what the counsellor says. */
function therapy(asked: string): string {
  const said = stemsIn(counsellorTexts(slot(asked, 'case')!).join(' '))
  const types = Array.from(asked.matchAll(/^([a-z-]+): (.*)$/gm), ([, type, about]) => {
    const stems = [...stemsIn(about!)]
    return { type: type!, shared: stems.filter((stem) => said.has(stem)).length }
  })
  const best = types.reduce((one, other) => (other.shared > one.shared ? other : one))
  return JSON.stringify({ type: best.type })
}

/** Read off the words of a question. */
function profile(asked: string): string {
  const problem = slot(asked, 'problem')!
  const level = (is: boolean, isNot: boolean): string => (is ? 'high' : isNot ? 'low' : 'medium')
  const levels: Record<string, string> = Object.fromEntries(TRAITS.map((trait) => [trait, 'medium']))
  levels.extraversion = level(/I tell everybody/.test(problem), /I hardly talk/.test(problem))
  levels.neuroticism = level(/afraid|tense/.test(problem), /tired/.test(problem))
  levels.agreeableness = level(/sad|lonely/.test(problem), /angry/.test(problem))
  return JSON.stringify(levels)
}

/** What a question is about: “Trouble with X. I feel Y since Z.” */
function matterOf(text: string): { trouble: string; feeling: string } {
  return {
    trouble: /Trouble with ([^.]+)\./.exec(text)?.[1] ?? 'it',
    feeling: /I feel (\w+)/.exec(text)?.[1] ?? 'unwell',
  }
}

/** Whether the words of a personality say that somebody talks much. */
const talksMuch = (personality: string): boolean => personality.includes(traits.extraversion.high)

const pictureIn = (dialogue: string): string | undefined =>
  Object.values(TOPICS).find(({ picture }) => dialogue.includes(picture))?.picture

/** The numbered list of stages; one without a therapy goes nowhere in particular. */
const stagesIn = (asked: string): string[] => {
  const stages = (slot(asked, 'stages') ?? '').split('\n').map((line) => line.replace(/^\d+\. /, ''))
  return stages[0] === '' ? ['say more'] : stages
}

function dialogue(asked: string, random: PythonRandom): string {
  const manner = readStyle(slot(asked, 'style'))
  const stages = stagesIn(asked)
  const picture = pictureIn(slot(asked, 'case') ?? '')
  const matter = matterOf(slot(asked, 'record')!)
  const isMuch = talksMuch(slot(asked, 'personality') ?? '')
  const [, least = '5', most = '8'] = /speaks (\d+) to (\d+) times/.exec(asked) ?? []
  const rounds = Number(least) + random.below(Math.min(4, Number(most) - Number(least) + 1))
  const seen = new Set<string>()
  const written = Array.from({ length: rounds }, (_, round) => {
    const stage = shortStage(stageOf({ stages }, round, rounds))
    return {
      client: fresh(() => clientTurn(matter.trouble, matter.feeling, isMuch, random), seen),
      counsellor: fresh(
        () => counsellorTurn({ manner, stage, ...matter, picture: round % 2 === 0 ? picture : undefined }, random),
        seen,
      ),
    }
  })
  if (asked.includes('Write JSON')) return JSON.stringify({ dialogue: written })
  return written.map(({ client, counsellor }) => `Client: ${client}\nCounsellor: ${counsellor}`).join('\n')
}

/** One of a few that was not said before, where there is one. */
function fresh(make: () => string, seen: Set<string>): string {
  for (let left = 20; ; left--) {
    const text = make()
    if (seen.has(text) && left > 0) continue
    seen.add(text)
    return text
  }
}

function opening(asked: string, random: PythonRandom): string {
  const { trouble, feeling } = matterOf(slot(asked, 'problem')!)
  return clientTurn(trouble, feeling, false, random)
}

/** A client feels questions as such, and a counsellor without an opening as one who did not listen. */
function clientAnswer(asked: string, random: PythonRandom): string {
  const { trouble, feeling } = matterOf(slot(asked, 'problem')!)
  const said = readLines(slot(asked, 'said')!).turns
  const last = said.at(-1)!.text
  const isHeard = last.startsWith('I hear you')
  const deed: Deed = isHeard ? 'understood' : last.endsWith('?') ? 'asked' : 'explained'
  const seen = new Set(said.map(({ text }) => text))
  const reply = fresh(() => clientTurn(trouble, feeling, talksMuch(asked), random), seen)
  return JSON.stringify({ counsellor: deed, reply })
}

function counsellorAnswer(asked: string, random: PythonRandom): string {
  const said = readLines(slot(asked, 'said')!).turns
  const heard = said.map(({ text }) => text).join(' ')
  // The counsellor knows the trouble from what was said alone.
  const trouble =
    Object.values(TOPICS)
      .flatMap((topic) => topic.trouble)
      .find((one) => heard.toLowerCase().includes(one.toLowerCase())) ?? 'it'
  const stage = shortStage(/Where the session stands: (.*)/.exec(asked)?.[1] ?? 'say more')
  const seen = new Set(said.map(({ text }) => text))
  const parts = { manner: readStyle(slot(asked, 'style')), stage, trouble, feeling: pick(['so', 'like that'], random) }
  const picture = said.length % 4 === 1 ? pictureIn(slot(asked, 'case') ?? '') : undefined
  return fresh(() => counsellorTurn({ ...parts, picture }, random), seen)
}
