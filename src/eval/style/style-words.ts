// Words that tell how somebody speaks and not what about: function words, and turns of phrase by which counsellors take up, approve, advise
// and speak of themselves.

/** A language that there are lists for. */
export type StyleLanguage = 'en' | 'zh'

interface StyleWords {
  /** Words of `cutWords`: of Chinese, characters. */
  readonly functionWords: readonly string[]
  /** Parts of a text that say what a turn does, in lower case. */
  readonly markers: Readonly<Record<'reflection' | 'approval' | 'advice' | 'own', RegExp>>
}

const words = (list: string): readonly string[] => list.split(' ')

export const STYLE_WORDS: Readonly<Record<StyleLanguage, StyleWords>> = {
  en: {
    functionWords: words(
      "the a an this that these those i you we they it he she my your our their me us them who what which how when where why is are am was were be been being have has had do does did will would can could may might should must not don't it's i'm you're that's and or but so if because as than then though while of in on at to for with from by about into over after before up out just really very also too only even still well yes no maybe perhaps some any all more most much many there here",
    ),
    markers: {
      reflection:
        /\b(?:it|that) (?:sounds|seems|looks) (?:like|as if|as though|that)|\bsounds (?:like|as if)|\bi (?:hear|can hear|sense|notice|understand|gather)\b|\byou(?:'re| are) (?:feeling|saying|telling)|\byou feel\b|\bwhat i(?:'m| am) hearing|\bin other words|\bit must (?:be|have been|feel)/,
      approval:
        /\b(?:that's|that is|it's|it is) (?:great|good|wonderful|understandable|normal|okay|natural|brave|important)|\bwell done|\bthank you for (?:sharing|telling|trusting)|\bi(?:'m| am) glad|\bproud of|\bgood (?:job|for you)|\btakes courage/,
      advice:
        /\byou (?:should|could|might|may want|need|must|can try)\b|\btry (?:to|this|it)\b|\bhow about\b|\bwhy don't you|\bi (?:suggest|recommend|would advise|encourage)|\bit (?:may|might|could) help|\blet's\b/,
      own: /\bi (?:think|feel|believe|wonder|wish|remember)\b|\bin my (?:view|experience|opinion)|\bfor me\b/,
    },
  },
  zh: {
    functionWords: words(
      '的 了 是 在 我 你 您 他 她 们 这 那 个 有 没 不 也 都 就 还 又 再 和 与 或 但 而 因 为 所 以 如 果 会 能 可 要 想 吗 呢 吧 啊 呀 哦 嗯 嘛 着 过 得 地 把 被 让 给 对 从 到 跟 很 太 更 最 些 什 么 怎 样 谁 哪 请',
    ),
    markers: {
      reflection:
        /听起来|听上去|看起来|看得出|感觉(?:到)?你|感受到你|我(?:能|可以)?(?:理解|感受到|听到|体会|明白)|你(?:觉得|感到|是说|的意思是|似乎|好像)|也就是说|换句话说/,
      approval:
        /很(?:好|棒|不错|勇敢|正常|重要|了不起)|非常好|做得(?:很)?好|谢谢你(?:的)?(?:分享|信任|告诉)|值得(?:肯定|鼓励)|加油|为你(?:高兴|骄傲)|相信你/,
      advice: /建议|你可以|不妨|试着|试试|尝试|应该|需要(?:学会|去)|可以考虑|最好|我们(?:可以|来)|希望你能/,
      own: /我(?:觉得|认为|想|相信|希望|个人)|在我看来|对我来说/,
    },
  },
}

/** Letters among which so many are Han are Chinese. */
const HAN = 0.3
/** Words among which so many are its function words are English. */
const ENGLISH = 0.2

/** The language whose lists fit texts; undefined where neither does. */
export function styleLanguage(
  texts: readonly string[],
  cut: (text: string) => readonly string[],
): StyleLanguage | undefined {
  const all = texts.slice(0, 500).join('\n')
  const letters = all.match(/\p{L}/gu)?.length ?? 0
  if (letters === 0) return undefined
  if ((all.match(/\p{Script=Han}/gu)?.length ?? 0) / letters >= HAN) return 'zh'
  const found = cut(all)
  const known = new Set(STYLE_WORDS.en.functionWords)
  return found.filter((word) => known.has(word)).length / found.length >= ENGLISH ? 'en' : undefined
}
