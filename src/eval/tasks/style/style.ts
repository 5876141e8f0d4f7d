// The task `style`: held-out dialogues of one counsellor, whose turns the model says in its own words behind the true history; and the same
// with a case of that counsellor in the prompt, which a trained twin has to be better than.

import { UsageError } from '../../../errors.ts'
import { bertScore } from '../../../lm/bert-score.ts'
import type { ChatMessage } from '../../../text/chat-template.ts'
import { cutWords, spacedText } from '../../metrics/cut-words.ts'
import { rouge } from '../../metrics/rouge.ts'
import type { Annotations, Answered, Doc, GroupConfig, MetricConfig, TaskConfig } from '../../task-config.ts'
import type { SuiteOptions } from '../suite-options.ts'
import { readStyleData, type StyleData, type StyleDialogue, turnsOf } from './read-dialogues.ts'

/** How the model is asked: behind the history alone, or with a case of the counsellor before it. */
export type StyleArm = 'style_plain' | 'style_one_shot'
/** One held-out turn. */
export interface StyleDoc extends Doc {
  dialogue: string
  turn: number
  topic: string
  history: readonly ChatMessage[]
  gold: string
  /** The dialogue that is shown, and whether it has the same topic. */
  case: string
  matched: boolean
}

/** As the paper's models are asked. */
const GENERATION = {
  until: ['\nClient:', '\nCounsellor:'],
  do_sample: true,
  temperature: 0.9,
  top_p: 0.75,
  top_k: 20,
  max_gen_toks: 256,
}
/** What stands before a case, for the model. */
export const CASE_WORDING = `Below is a dialogue that a counsellor had with another client. In the dialogue that follows you are that counsellor: speak in the same style.

{case}`
/** Turns of the counsellor that a judge compares with. */
const JUDGED_AGAINST = 4

/** Both arms. UsageError without data. */
export async function style(options: SuiteOptions): Promise<GroupConfig> {
  const data = await readStyleData(options.data)
  const docs = docsOf(data, options.turns ?? 'all')
  const unmatched = docs.filter(({ matched }) => !matched).length
  if (unmatched > 0)
    options.notice?.(
      `task style: ${unmatched} of ${docs.length} turns have no case of their topic: the one-shot prompt has another case there`,
    )
  const metric_list: MetricConfig[] = [
    ...['rouge1', 'rouge2', 'rougeL'].map((metric) => ({ metric, aggregation: 'mean', higher_is_better: true })),
    { metric: 'bleu', aggregation: 'bleu', higher_is_better: true },
    ...(options.encoder === undefined ? [] : [{ metric: 'bert_f1', aggregation: 'mean', higher_is_better: true }]),
    ...(options.styleJudge === undefined ? [] : [{ metric: 'judge', aggregation: 'mean', higher_is_better: true }]),
    { metric: 'words', aggregation: 'mean' },
  ]
  const task = (name: StyleArm): TaskConfig => ({
    task: name,
    output_type: 'generate_until',
    test_split: 'test',
    custom_dataset: () => ({ test: docs }),
    doc_to_messages: (doc) => messagesOf(doc as StyleDoc, name, data),
    doc_to_target: (doc) => (doc as StyleDoc).gold,
    generation_kwargs: GENERATION,
    annotate: (answered, { signal }) => looked(answered, data, options, signal),
    process_results: (doc, [answer], _, annotations) => scoresOf((doc as StyleDoc).gold, String(answer), annotations),
    metric_list,
    metadata: { version: 1, chat: true },
  })
  return { group: 'style', task: [task('style_plain'), task('style_one_shot')], metadata: { version: 1 } }
}

/** One for each turn of the assistant that has something before it: all, the last, or the first so many of a dialogue. */
export function docsOf(data: StyleData, turns: 'all' | 'last' | number): StyleDoc[] {
  if (typeof turns === 'number' && !(Number.isInteger(turns) && turns >= 1))
    throw new UsageError(`turns: expected all, last, or a whole number of at least 1, got ${turns}`)
  return data.test.flatMap((dialogue) => {
    const shown = caseFor(dialogue, data)
    const all = dialogue.messages.flatMap(({ role, content }, at) =>
      role === 'assistant' &&
      content.trim() !== '' &&
      dialogue.messages.slice(0, at).some(({ role }) => role === 'user')
        ? [{ at, content }]
        : [],
    )
    const wanted = turns === 'all' ? all : turns === 'last' ? all.slice(-1) : all.slice(0, turns)
    return wanted.map(({ at, content }) => ({
      dialogue: dialogue.id,
      turn: at,
      topic: dialogue.topic ?? '',
      history: dialogue.messages.slice(0, at),
      gold: content,
      case: shown?.id ?? '',
      matched: shown !== undefined && shown.topic === dialogue.topic,
    }))
  })
}

/** The first case of the dialogue's topic, or else the first; never the dialogue itself. */
function caseFor(dialogue: StyleDialogue, { cases, test }: StyleData): StyleDialogue | undefined {
  const others = (cases.length > 0 ? cases : test).filter((one) => one !== dialogue)
  return others.find(({ topic }) => topic !== undefined && topic === dialogue.topic) ?? others[0]
}

function messagesOf({ history, case: id }: StyleDoc, arm: StyleArm, { cases, test }: StyleData): ChatMessage[] {
  const shown = arm === 'style_one_shot' ? (cases.length > 0 ? cases : test).find((one) => one.id === id) : undefined
  if (shown === undefined) return [...history]
  const written = shown.messages
    .filter(({ role }) => role !== 'system')
    .map(({ role, content }) => `${role === 'user' ? 'Client' : 'Counsellor'}: ${content}`)
    .join('\n')
  const system = history.filter(({ role }) => role === 'system').map(({ content }) => String(content))
  const content = [...system, CASE_WORDING.replace('{case}', () => written)].join('\n\n')
  return [{ role: 'system', content }, ...history.filter(({ role }) => role !== 'system')]
}

async function looked(
  answered: readonly Answered[],
  { cases, test }: StyleData,
  { encoder, styleJudge }: SuiteOptions,
  signal: AbortSignal | undefined,
): Promise<Annotations[]> {
  const more = signal === undefined ? {} : { signal }
  const docs = answered.map(({ doc }) => doc as StyleDoc)
  const answers = answered.map(({ answers: [answer] }) => answer ?? '')
  const bert =
    encoder &&
    (await bertScore(
      encoder,
      answers,
      docs.map(({ gold }) => gold),
      more,
    ))
  const pool = cases.length > 0 ? cases : test
  const judged = await styleJudge?.(
    docs.map((doc, i) => ({
      answer: answers[i]!,
      // Not the turns of the dialogue that is answered, whose words would tell.
      reference: pool
        .filter(({ id }) => cases.length > 0 || id !== doc.dialogue)
        .flatMap(turnsOf)
        .slice(0, JUDGED_AGAINST),
    })),
    more,
  )
  return docs.map((_, i) => ({
    ...(bert !== undefined && { bert_f1: bert[i]!.f1 }),
    ...(judged?.[i] !== undefined && { judge: judged[i] }),
  }))
}

/** Of one answer. Chinese is compared by characters: with another cut, such as jieba's, the numbers are others. */
function scoresOf(gold: string, answer: string, found: Annotations = {}): Record<string, unknown> {
  const [wanted, given] = [spacedText(gold), spacedText(answer)]
  return {
    rouge1: rouge('rouge1', wanted, given),
    rouge2: rouge('rouge2', wanted, given),
    rougeL: rouge('rougeL', wanted, given),
    bleu: [wanted, given],
    words: cutWords(answer).length,
    ...found,
  }
}
