// Keeps diagnoses of people and advice on medicines out of what a model says, and out of what it is asked for. Words, not meaning.

import { WORDINGS } from '../../base/wordings.ts'
import type { Rule } from '../rule.ts'
import { type Phrase, type PhrasePattern, phrasePattern } from './phrase-pattern.ts'
import { folded, viewsOf } from './views.ts'

const EN_ILLNESS =
  'depression|(?:clinical|major|chronic|severe|postpartum) depression|depressive disorder|major depressive disorder|adhd|add|autism|bipolar(?: disorder)?|schizophrenia|psychosis|ptsd|ocd|bpd|anxiety disorder|generali[sz]ed anxiety(?: disorder)?|panic disorder|eating disorder|anorexia|bulimia|dementia|borderline(?: personality(?: disorder)?)?|(?:\\S+ )?personality disorder|dissociative (?:identity )?disorder|post traumatic stress(?: disorder)?|obsessive compulsive(?: disorder)?'
const EN_ILL =
  'clinically depressed|bipolar|schizophrenic|psychotic|autistic|anorexic|bulimic|narcissistic|a narcissist|borderline|mentally ill'
const EN_MEDICINE =
  'antidepressants?|ssris?|sertraline|fluoxetine|prozac|zoloft|lexapro|escitalopram|citalopram|paroxetine|venlafaxine|bupropion|wellbutrin|lithium|xanax|alprazolam|valium|diazepam|lorazepam|ativan|ambien|zolpidem|quetiapine|seroquel|olanzapine|risperidone|aripiprazole|lamotrigine|adderall|ritalin|methylphenidate|benzodiazepines?|sleeping pills|meds|medications?|medicines?|pills'
const ES_ILLNESS =
  'depresion(?: mayor| clinica)?|tdah|autismo|trastorno \\S+(?: de la personalidad)?|bipolaridad|esquizofrenia|psicosis|tept|toc|anorexia|bulimia|demencia'
const ES_MEDICINE =
  'antidepresivos?|ansioliticos?|sertralina|fluoxetina|escitalopram|citalopram|paroxetina|venlafaxina|litio|alprazolam|diazepam|lorazepam|quetiapina|olanzapina|medicacion|medicamentos?|medicinas?|pastillas'

const DIAGNOSES: readonly Phrase[] = [
  [
    'you|you re|you ve',
    0,
    'have|suffer from|are suffering from|re suffering from|probably have|likely have|clearly have|definitely have|may have|might have|could have|must have|seem to have|appear to have|show signs of|ve got|got|are experiencing',
    2,
    EN_ILLNESS,
  ],
  ['you are|you re|you may be|you might be|you must be|you seem|you appear to be', 1, EN_ILL],
  [
    'symptoms|you describe|you re describing|you wrote|you write|you say|this|it|which',
    3,
    'sounds?(?: to me)? like|looks? like|meets?|points? to|suggests?|indicates?|consistent with|indicative of|typical of|signs? of|a case of',
    4,
    EN_ILLNESS,
  ],
  ['your|my', 0, 'diagnosis', 0, 'is|would be'],
  ['i', 1, 'diagnose|would diagnose|m diagnosing|am diagnosing', 1, 'you'],
  ['do|did|could|might|would', 0, 'i', 1, 'have', 2, EN_ILLNESS],
  ['am|was', 0, 'i', 1, EN_ILL],
  ['can|could|please|will|would', 2, 'diagnose', 0, 'me|my'],
  ['what', 1, 'disorder|illness|disease|condition', 2, 'i', 0, 'have'],
  // es
  [
    'tienes|tiene|padeces|padece|sufres|sufre|presentas|presenta',
    0,
    'de|un|una|probablemente|claramente|seguramente|depresion|tdah|toc|esquizofrenia',
    2,
    `${ES_ILLNESS}|$`,
  ],
  ['tienes|tiene|padeces|padece|sufres de|sufre de', 2, ES_ILLNESS],
  ['eres|es usted', 1, 'bipolar|esquizofrenic[oa]|autista|depresiv[oa]|anorexic[oa]|narcisista'],
  ['tu|su|mi', 0, 'diagnostico', 0, 'es|seria'],
  ['tengo|tendre|sera que tengo', 1, `${ES_ILLNESS}$`],
  ['puedes|podrias|puede', 1, 'diagnosticarme'],
]
const MEDICINES: readonly Phrase[] = [
  [
    'you should|you could|you need to|you must|you can|you may|i recommend|i suggest|i advise|i d recommend|try|start|take|consider',
    2,
    'take|taking|try|trying|start|starting|use|using|stop|stopping|quit|skip|double|increase|increasing|reduce|reducing|lower|switch to|taper',
    4,
    EN_MEDICINE,
  ],
  [
    'take|taking|start with|increase to|up to|dose of|dosage of',
    2,
    '\\d+(?: ?mg| milligrams?| ?mcg| ?ml| pills?| tablets?)',
  ],
  ['\\d+', 0, 'mg|milligrams?|mcg', 3, EN_MEDICINE],
  [EN_MEDICINE, 2, '\\d+ ?mg|\\d+ milligrams?'],
  ['stop|quit|skip|double|increase|reduce', 1, 'taking|your', 2, EN_MEDICINE],
  [
    'should|can|could|may|do',
    0,
    'i',
    2,
    'take|stop|quit|increase|double|mix|start|skip|reduce|come off',
    4,
    EN_MEDICINE,
  ],
  ['what|which|how much|how many|best', 2, `${EN_MEDICINE}|dose|dosage`, 4, 'i|take|for'],
  // es
  [
    'deberias|debes|debe|deberia|puedes|puede|tienes que|tiene que|te recomiendo|le recomiendo|te sugiero',
    2,
    'tomar|dejar|aumentar|reducir|subir|bajar|empezar|probar|suspender',
    4,
    ES_MEDICINE,
  ],
  ['tome|toma|tomar|tomes', 2, '\\d+ ?(?:mg|miligramos|ml|pastillas|comprimidos)'],
  ['deja|deje|suspende|suspenda|aumenta|aumente', 2, 'tu|su|la|el|los|las|de tomar', 1, ES_MEDICINE],
  ['debo|puedo|deberia', 1, 'tomar|dejar|aumentar|reducir|mezclar', 4, ES_MEDICINE],
]
const ZH_ILLNESS =
  '(?:重度|轻度|中度|产后)?抑郁症|双相(?:情感)?障碍|躁郁症|焦虑症|强迫症|精神分裂症?|自闭症|多动症|人格障碍|创伤后应激障碍|恐慌症|惊恐障碍|厌食症|暴食症|躁狂症'
const ZH_MEDICINE =
  '药|药物|抗抑郁药|安眠药|舍曲林|氟西汀|百忧解|帕罗西汀|艾司西酞普兰|西酞普兰|文拉法辛|碳酸锂|阿普唑仑|劳拉西泮|地西泮|奥氮平|喹硫平|利培酮|阿立哌唑'
const ZH_DIAGNOSES: readonly RegExp[] = [
  new RegExp(
    `[你您](?:这|现在|应该|可能|大概|很可能|已经|肯定|显然|确实|的确|这种情况|的症状|的情况)*(?:是|就是|属于|患(?:有|上|了)|得了|有|符合|像是|疑似|确诊)(?:了|典型的?|一种)?(?:${ZH_ILLNESS})`,
    'u',
  ),
  new RegExp(`(?:症状|表现|情况|描述).{0,6}(?:符合|属于|就是|说明|提示|像是).{0,4}(?:${ZH_ILLNESS})`, 'u'),
  new RegExp(`我(?:是不是|是否|会不会|有没有|算不算|到底).{0,4}(?:得了|有|患了?|是)?(?:${ZH_ILLNESS})`, 'u'),
  /(?:给|帮|替)我(?:做(?:个|一个)?)?(?:诊断|确诊)|我(?:的)?诊断(?:你|您)?(?:是|为)|诊断(?:你|您)(?:是|为|患)/u,
]
const ZH_MEDICINES: readonly RegExp[] = [
  new RegExp(
    `(?:建议|推荐|应该|可以|需要|最好|不妨|试试)[你您]?(?:(?!不|别|除了|继续).){0,6}(?:服用|吃|停|加量|减量|换|增加|减少|试用|开始用)(?:了|些|点|一些)?.{0,4}(?:${ZH_MEDICINE})(?!店|房|膳|师)`,
    'u',
  ),
  /(?:服用|吃|每天|每次|每日|一次).{0,8}\d+ ?(?:毫克|mg|片|粒|颗)/u,
  /(?:停药|加药|减药|加量|减量)(?:吧|就好|即可|就行)/u,
  new RegExp(
    `我(?:应该|该|可以|能|要不要|需要|是不是该?|能不能|可不可以).{0,4}(?:吃|停|服用|加|减|换).{0,4}(?:${ZH_MEDICINE})`,
    'u',
  ),
  /吃(?:什么|啥|哪种|多少)药|(?:药|安眠药)(?:吃|用)多少/u,
]

interface Kind {
  readonly what: string
  readonly phrases: readonly PhrasePattern[]
  readonly chinese: readonly RegExp[]
}

const KINDS: readonly Kind[] = [
  { what: 'a diagnosis', phrases: DIAGNOSES.map(phrasePattern), chinese: ZH_DIAGNOSES },
  { what: 'advice on medicines', phrases: MEDICINES.map(phrasePattern), chinese: ZH_MEDICINES },
]

/** What stands before a diagnosis that is none. */
const DENIED =
  /(?:\b(?:not|cannot|can t|no|whether|if|never|without|nunca|si)\b|不能|无法|没有|是否|不一定|不是|不要|别)[^.。！？!?]{0,24}$/u
const DENIED_IN = /\b(?:not|cannot|can t|never|without)\b|(?<!能)不能|无法|(?<!有)没有|(?<!要)不要|不一定/u
const DENIED_LENGTH = 40

/** What of it a text has; undefined where nothing was found. */
export function medicalIn(text: string): string | undefined {
  for (const sentence of text.split(/(?<=[。！？；!?;\n])|(?<=[.…])(?=\s)/u)) {
    const views = /[a-z]{2}/i.test(folded(sentence)) ? viewsOf(sentence).words : []
    const chinese = /\p{Script=Han}/u.test(sentence) ? folded(sentence).replace(/\s+/g, '') : ''
    const isSaid = (view: string, pattern: RegExp): boolean => {
      const { 0: said = '', index = 0 } = pattern.exec(view) ?? {}
      return said !== '' && !DENIED_IN.test(said) && !DENIED.test(view.slice(Math.max(0, index - DENIED_LENGTH), index))
    }
    for (const { what, phrases, chinese: patterns } of KINDS)
      if (
        phrases.some(({ inWords }) => views.some((view) => isSaid(view, inWords))) ||
        (chinese !== '' && patterns.some((pattern) => isSaid(chinese, pattern)))
      )
        return what
  }
  return undefined
}

/** A rule for answers and for questions: what says that somebody has an illness of the mind, or advises on medicines and doses, or asks for it. */
export function noDiagnosis(): Rule {
  return {
    name: 'no diagnosis',
    onRefuse: 'refusal',
    check: (text) => {
      const what = medicalIn(text)
      return what === undefined ? undefined : { refuse: `has ${what}`, say: WORDINGS.noDiagnosis }
    },
  }
}
