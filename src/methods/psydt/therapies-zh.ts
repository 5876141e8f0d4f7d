// The same types of therapy as in `therapies-en.ts`, in Chinese.
import type { Therapy } from './therapy.ts'

/** In Chinese. */
export const THERAPIES_ZH: readonly Therapy[] = [
  {
    type: 'psychoanalysis',
    name: '精神分析疗法',
    school: 'psychodynamic',
    about: '当下的困扰来自被压到意识之外的愿望、恐惧和记忆。',
    stages: [
      '让来访者自由地说，留意反复出现的内容。',
      '一起看见被回避、被拖延、被一笑带过的部分。',
      '把当下的困扰和早年的关系与记忆联系起来。',
      '反复体会这些发现，直到能在日常生活中与之相处。',
    ],
  },
  {
    type: 'object-relations',
    name: '客体关系疗法',
    school: 'psychodynamic',
    about: '早年亲密关系留下的自我和他人的形象，影响着现在怎样与人相处。',
    stages: [
      '稳定地陪伴，让情绪有安全的去处。',
      '找出来访者从小带着的自我和他人的形象。',
      '看见这些形象怎样在咨询关系和其他关系里重现。',
      '让形象变得完整，同一个人身上可以有好也有不好。',
    ],
  },
  {
    type: 'desensitization',
    name: '系统脱敏疗法',
    school: 'cognitive-behavioural',
    about: '在身体放松的时候一小步一小步接触害怕的事，害怕会慢慢减轻。',
    stages: [
      '学习放松，从呼吸和肌肉开始。',
      '把害怕的事从轻到重排好顺序。',
      '在放松中逐级想象或接触，平静之后再进入下一级。',
      '在生活中继续练习，并为反复做好准备。',
    ],
  },
  {
    type: 'cbt',
    name: '认知行为疗法',
    school: 'cognitive-behavioural',
    about: '想法、情绪和行为互相影响；想法可以检验，行为可以改变。',
    stages: [
      '一起说清困扰是什么，想变成什么样。',
      '抓住自动冒出来的想法，以及随后发生的事。',
      '用支持和反对的证据检验这些想法。',
      '用小任务尝试别的做法，留下有用的。',
    ],
  },
  {
    type: 'rebt',
    name: '理性情绪行为疗法',
    school: 'cognitive-behavioural',
    about: '让人难受的不是事情本身，而是对事情的僵硬信念；这些信念可以辩论，也可以替换。',
    stages: [
      '检查：找出发生了什么、感受是什么，以及两者之间的不合理信念。',
      '辩论：追问这个信念是否真实、是否合乎逻辑、是否有帮助。',
      '建立：用坚定而不僵硬的合理信念来代替。',
      '迁移：在生活中练习新的信念，并用到别的困扰上。',
    ],
  },
  {
    type: 'act',
    name: '接纳承诺疗法',
    school: 'cognitive-behavioural',
    about: '情绪可以在场而不做主，人按照自己看重的东西去行动。',
    stages: [
      '看看与情绪对抗付出了什么代价。',
      '给情绪留出空间，把想法只看作想法。',
      '说出对自己最重要的是什么。',
      '带着情绪，朝重要的方向迈出小步。',
    ],
  },
  {
    type: 'person-centered',
    name: '以人为中心疗法',
    school: 'humanistic',
    about: '被不带评判地听见，人就能找到自己的路。',
    stages: [
      '温暖地接待来访者，不作评判。',
      '把听到的感受说回去，让来访者也听见自己。',
      '停留在没有说完的地方，直到它变清楚。',
      '相信来访者的选择，并给予支持。',
    ],
  },
  {
    type: 'existential',
    name: '存在主义疗法',
    school: 'humanistic',
    about: '面对自由、失去、孤独和意义，而不是逃开。',
    stages: [
      '听来访者怎样生活，什么变得不再确定。',
      '看看哪些无法改变，以及对它的恐惧。',
      '找到来访者可以自由选择并为之负责的地方。',
      '让来访者说出什么给生活以意义，并照着去活。',
    ],
  },
  {
    type: 'solution-focused',
    name: '焦点解决短期疗法',
    school: 'postmodern',
    about: '不长久地研究问题，而是找到已经有效的做法，多做一些。',
    stages: [
      '问问如果困扰消失了，会有什么不同。',
      '寻找已经有一点这样的时候。',
      '用分数说出现在在哪里，再高一分会是什么样。',
      '选一个小小的下一步，肯定已经做到的。',
    ],
  },
  {
    type: 'narrative',
    name: '叙事疗法',
    school: 'postmodern',
    about: '人不等于问题，关于问题的故事可以重新讲述。',
    stages: [
      '听来访者讲自己的故事。',
      '给问题起一个名字，让它和人分开。',
      '找出不合这个故事的时刻。',
      '从这些时刻重新讲述，并找到愿意听的人。',
    ],
  },
]
