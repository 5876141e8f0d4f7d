// Pairs of English sentences of which one is wrong, after the paradigms of BLiMP (Warstadt et al. 2020), put together from small word lists:
// they need no download and are no replacement for it.

import { PythonRandom } from '../python-random.ts'
import type { Doc, GroupConfig, TaskConfig } from '../task-config.ts'

const PEOPLE = ['boy', 'girl', 'teacher', 'doctor', 'farmer', 'friend', 'singer', 'neighbour'] as const
const ANIMALS = ['dog', 'cat', 'horse', 'bird', 'rabbit', 'cow'] as const
const THINGS = ['book', 'tree', 'house', 'ball', 'box', 'cake', 'lamp', 'song'] as const
const VERBS = ['see', 'want', 'like', 'know', 'find', 'draw'] as const
const WOMEN = ['Mary', 'Anna', 'Susan', 'Lucy'] as const
const MEN = ['John', 'Peter', 'Tom', 'Jack'] as const
const PAST = ['helped', 'saw', 'hurt', 'praised', 'drew'] as const
const COUNT = 100

type Pick = <T>(list: readonly T[]) => T
type Pair = readonly [good: string, bad: string]

const PARADIGMS: Readonly<Record<string, (pick: Pick) => Pair>> = {
  subject_verb_agreement: (pick) => {
    const [noun, verb, thing] = [pick([...PEOPLE, ...ANIMALS]), pick(VERBS), pick(THINGS)]
    const singular = pick([true, false])
    const subject = singular ? `The ${noun}` : `The ${noun}s`
    const forms = [`${verb}s`, verb]
    const [right, wrong] = singular ? forms : forms.toReversed()
    return [`${subject} ${right} the ${thing}.`, `${subject} ${wrong} the ${thing}.`]
  },
  agreement_across_noun: (pick) => {
    const [noun, other, verb] = [pick(PEOPLE), pick(ANIMALS), pick(VERBS)]
    const begin = `The ${noun} near the ${other}s`
    const thing = pick(THINGS)
    return [`${begin} ${verb}s the ${thing}.`, `${begin} ${verb} the ${thing}.`]
  },
  determiner_noun_agreement: (pick) => {
    const [noun, thing, verb] = [pick(PEOPLE), pick(THINGS), pick(VERBS)]
    const many = pick([true, false])
    const right = many ? `${pick(['these', 'those'])} ${thing}s` : `${pick(['this', 'that'])} ${thing}`
    const wrong = many ? right.slice(0, -1) : `${right}s`
    return [`The ${noun} ${verb}s ${right}.`, `The ${noun} ${verb}s ${wrong}.`]
  },
  anaphor_agreement: (pick) => {
    const isWoman = pick([true, false])
    const [name, verb] = [pick(isWoman ? WOMEN : MEN), pick(PAST)]
    const [own, other] = isWoman ? ['herself', 'himself'] : ['himself', 'herself']
    return [`${name} ${verb} ${own}.`, `${name} ${verb} ${other}.`]
  },
  word_order: (pick) => {
    const [noun, verb, thing] = [pick(PEOPLE), pick(VERBS), pick(THINGS)]
    const [article, other] = [pick(['the', 'a']), pick(['old', 'big', 'red', 'new'])]
    return [`The ${noun} ${verb}s ${article} ${other} ${thing}.`, `The ${noun} ${verb}s ${other} ${article} ${thing}.`]
  },
}

/** A group with one task for each paradigm. */
export function minimalPairs(): GroupConfig {
  return {
    group: 'minimal_pairs',
    task: Object.entries(PARADIGMS).map(([name, make], i) => pairsTask(`minimal_pairs_${name}`, pairsOf(make, i))),
    aggregate_metric_list: [{ metric: 'acc', weight_by_size: false }],
    metadata: { version: 1 },
  }
}

/** Which of two sentences is the likelier one, as a whole; the good one comes first. */
export function pairsTask(task: string, docs: readonly Doc[]): TaskConfig {
  return {
    task,
    output_type: 'multiple_choice',
    validation_split: 'train',
    custom_dataset: () => ({ train: docs }),
    doc_to_text: '',
    doc_to_choice: '{{[sentence_good, sentence_bad]}}',
    doc_to_target: 0,
    num_fewshot: 0,
    metric_list: [{ metric: 'acc' }],
    metadata: { version: 1 },
  }
}

/** Different pairs, from a fixed seed. */
function pairsOf(make: (pick: Pick) => Pair, seed: number): Doc[] {
  const random = new PythonRandom(seed)
  const pick: Pick = (list) => list[random.below(list.length)]!
  const pairs = new Map<string, Doc>()
  for (let tries = 0; pairs.size < COUNT && tries < 100 * COUNT; tries++) {
    const [sentence_good, sentence_bad] = make(pick)
    pairs.set(sentence_good, { sentence_good, sentence_bad })
  }
  return [...pairs.values()]
}
