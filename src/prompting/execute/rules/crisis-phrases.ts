// How people word that they are in danger of killing or harming themselves or others, by language. English and Spanish as sequences of
// alternatives with room between them, without accents and signs, as `folded` and `words` make them; Chinese as patterns over a sentence of
// simplified characters without spaces. What is worded unlike anything here is not found.

import type { Phrase } from './phrase-pattern.ts'

/** How near it is: what may lead there; thoughts, wishes and harm; a plan, means, a time, or an attempt. */
export type CrisisLevel = 'concern' | 'risk' | 'acute'

/** What it is about. */
export type CrisisKind = 'suicide' | 'self-harm' | 'violence'

/** Phrases that mean the same. */
export interface CrisisPhrases {
  readonly level: CrisisLevel
  readonly kind: CrisisKind
  /** They hold whatever is denied before them: such as have a "not" of their own. */
  readonly isPlain?: boolean
  readonly phrases: readonly Phrase[]
}

/** The same of Chinese. */
export interface CrisisPatterns extends Omit<CrisisPhrases, 'phrases'> {
  readonly patterns: readonly RegExp[]
}

const NOT = 'don t|dont|do not|didn t|no longer|not|never|doesn t'
const KILLING =
  'kill|killing|hang|hanging|drown|drowning|shoot|shooting|poison|poisoning|off|offing|unalive|unaliving|suicide|end|ending'
const SOON =
  'tonight|today|tomorrow|right now|this (?:evening|weekend|week)|in an hour|(?:last|this|next) (?:night|morning|week|weekend)|yesterday'
const PILLS =
  'pills?|tablets?|tabs|capsules|meds|medications?|painkillers|paracetamol|tylenol|acetaminophen|ibuprofen|aspirin|xanax|insulin|antidepressants|bleach'
const PEOPLE =
  'him|her|them|everyone|everybody|my (?:boss|husband|wife|boyfriend|girlfriend|mother|mom|mum|father|dad|brother|sister|son|daughter|baby|kids?|children|child|ex|family|parents|teacher|neighbou?rs?|roommate|classmates|coworkers?|step(?:dad|mom|father|mother))'
const NEAR =
  'he|she|they|son|daughter|child|kid|friend|brother|sister|husband|wife|boyfriend|girlfriend|partner|student'
const HEIGHTS = 'bridge|building|roof|rooftop|window|balcony|cliff|ledge|tower'

const EN: readonly CrisisPhrases[] = [
  {
    level: 'acute',
    kind: 'suicide',
    phrases: [
      [KILLING, 0, 'myself|my life', 6, SOON],
      [SOON, 6, KILLING, 0, 'myself|my life'],
      [
        'i|ive|just',
        2,
        'took|taken|swallowed|downed|ate|drank',
        2,
        'all|whole|entire|bottles?|handfuls?|too many|lots|dozens|\\d+',
        4,
        PILLS,
      ],
      ['i|ive|just', 2, 'overdosed|od d|od ed'],
      ['my|a|the', 0, 'suicide', 0, 'note|letter|plan'],
      ['wrote|written|writing|write|left', 3, 'goodbye|farewell', 0, 'letters?|notes?|messages?'],
      [
        'have|bought|got|get|found|loaded|took',
        3,
        'gun|rope|noose|knife|razor|pills',
        12,
        'do it|end it|use it on myself',
      ],
      ['have|bought|got|get|found|loaded', 3, 'gun|rope|noose|knife|pills', 10, KILLING, 0, 'myself|my life'],
      ['rope|noose|gun|pills', 2, 'ready', 8, 'do it|end it|tonight'],
      ['i m|im|am', 3, `on|at`, 2, `${HEIGHTS}|train tracks|edge`, 4, 'now|about to|going to jump|ready'],
      ['how many|how much', 5, PILLS, 8, 'kill|die|overdose|lethal|fatal|death|not wake up'],
      [
        'painless|quickest|fastest|easiest|best|surest|least painful|quick|easy',
        1,
        'ways?|methods?',
        1,
        'to die|to kill myself|to commit suicide|of dying|to end it all|to end my life|to suicide',
      ],
      ['how', 1, 'can|do|should|to|could', 1, 'i|kill', 0, 'kill myself|myself|commit suicide|end my life'],
      ['this is', 1, 'goodbye', 0, 'forever|everyone|world'],
    ],
  },
  {
    level: 'risk',
    kind: 'suicide',
    phrases: [
      [KILLING, 0, 'myself'],
      ['end|ending|take|taking', 0, 'my|my own', 0, 'life(?! (?:back|in|to|into|forward|seriously|as|with|for|one))'],
      [
        'i|ive|me|just|really|only',
        4,
        'want|wanted|wanna|wish|ready|prefer|deserve|need',
        1,
        'die(?! of| from| laughing)',
      ],
      ['i', 3, 'want|wanted', 0, 'to', 1, 'be dead'],
      ['better off', 0, 'dead'],
      ['feel|feeling|felt', 1, 'like', 1, 'dying|ending it|ending my|killing'],
      ['i|i m|im|ive|i ve|me|feel|feeling', 5, 'suicidal(?! client| patient)'],
      [
        'i|i m|im|ive|me|been',
        4,
        'thinking|think|thought|thoughts|considering|considered|contemplating|contemplate|contemplated|planning|planned|attempt|attempting|attempted|commit|committing',
        3,
        'suicide',
      ],
      ['thoughts of', 0, 'suicide|dying|ending my life'],
      ['my', 1, 'suicide(?! prevention| awareness)'],
      [
        'better off|happier|easier',
        1,
        'if i',
        1,
        'was|were|died|disappeared|weren t|wasn t',
        0,
        'gone|dead|here|not here|alive|around',
      ],
      ['end|ending', 0, 'it all'],
      ['jump|jumping|throw myself|throwing myself', 1, 'off|from|in front|out', 3, `${HEIGHTS}|train|traffic`],
      ['gonna|going to|want to|wanna|might|ll|should|will', 1, 'kms|ctb|unalive'],
      [
        'want|wants|threatens|threatening|threatened|going|talks|talking|planning|says|keeps',
        5,
        'kill|killing|hang|hanging',
        0,
        'himself|herself|themself|themselves',
      ],
      [NEAR, 3, 'wants to|want to|wanna', 0, 'die|end (?:his|her|their) life|commit suicide'],
      [NEAR, 2, 'is|s|are|feels|feeling|becomes?|been', 2, 'suicidal'],
      ['help|support|with|after|survived', 5, 'suicide attempts?'],
    ],
  },
  {
    level: 'risk',
    kind: 'suicide',
    isPlain: true,
    phrases: [
      [
        NOT,
        1,
        'want|wanna|wish|care',
        0,
        'to live|live|to be alive|be alive|to exist|exist|to live anymore',
        0,
        '(?:any ?more|any longer|no more)|$',
      ],
      [
        NOT,
        1,
        'want|wanna',
        0,
        'to live|live|to be alive|be alive|to exist|exist',
        0,
        '(?:any ?more|any longer|no more)$',
      ],
      [
        `${NOT}|tired of`,
        1,
        'want to|wanna|wish to|living|being alive',
        0,
        'live|exist|be alive|be here|wake up',
        0,
        'any ?more$|any longer$|no more$',
      ],
      ['tired of', 0, 'living$|being alive|life$'],
      [
        'no|any|single',
        1,
        'reason|point|purpose',
        1,
        'to|in|for',
        1,
        'live$|live any ?more|living$|living any ?more|keep living|keep on living|go on living|be alive|being alive|stay alive',
      ],
      ['nothing|nothing left', 1, 'to', 0, 'live for'],
      [
        'wish|wished|wishing',
        1,
        'i',
        1,
        'were|was|could be|could just be|had|d',
        0,
        'dead|never born|not alive|never been born|gone forever',
      ],
      ['rather', 1, 'be dead|not exist|not be alive|die(?! than)'],
      ['everyone|everybody|they|family|kids|world|people|all', 4, 'better|better off|happier', 1, 'without me'],
      ['don t|dont|do not|not|can t|couldn t', 3, 'care', 0, 'if i', 0, 'live or die|die|died'],
      ['life|living', 1, 'isn t|is not|not|ain t|no longer', 1, 'worth', 1, 'living|it|anything'],
      [
        'hope|hoping|hoped|wish|wished|pray|praying|want|wanted',
        4,
        'not|never|don t|won t|didn t|wouldn t|couldn t',
        1,
        'wake up(?! (?:late|early|at|so|with|to|tired|in the|my|her|him|before|until))',
      ],
      ['sleep|asleep', 3, 'never|not', 1, 'wake up'],
    ],
  },
  {
    level: 'risk',
    kind: 'self-harm',
    phrases: [
      [
        'cutting|hurting|harming|burning|stabbing|injuring',
        0,
        'myself(?! (?:off|short|some|from|shaving|cooking|at|on|when|while|while|by|with work))',
      ],
      [
        'want|wanna|urge|urges|need|going|keep|thoughts|think|thinking|thought|started',
        3,
        'cut|hurt|harm|burn|stab|injure|cutting|hurting|harming',
        0,
        'myself(?! (?:off|short|some|from|shaving))',
      ],
      ['i|i ve|ive|m|urge|urges', 4, 'self harm|self harmed|self harming|self injure|self injury|selfharm'],
      ['when|until|unless|helps', 1, 'i', 0, 'cut|hurt|harm|burn', 0, 'myself$|myself on purpose'],
      ['used to|started|began', 1, 'cut|cutting|hurt|harm|burn', 0, 'myself'],
      [
        'cut|cutting|slit|slitting|slash|slashing|slashed|carve|carving',
        1,
        'my',
        1,
        'wrists?|arms?|thighs?|legs|veins?|throat|skin',
      ],
    ],
  },
  {
    level: 'risk',
    kind: 'violence',
    phrases: [
      [
        'i|i m|im|i ll',
        3,
        'going to|gonna|will|ll|plan to|planning to|planning on',
        1,
        'kill|killing|murder|shoot|stab|strangle',
        0,
        PEOPLE,
      ],
      [
        'thoughts|thinking|urges?',
        2,
        'of|about|to',
        1,
        'kill|killing|murdering|stabbing|shooting|hurting|strangling',
        0,
        PEOPLE,
      ],
    ],
  },
  {
    level: 'concern',
    kind: 'suicide',
    isPlain: true,
    phrases: [
      ['i', 1, 'm|am|feel|feeling|felt', 3, 'hopeless|worthless|a burden|trapped|numb|empty|useless'],
      [
        'can t|cannot|cant|couldn t',
        2,
        'go on|take it|take this|do this|carry on|keep going',
        0,
        '(?:any ?more|any longer|like this)',
      ],
      ['hate', 0, 'myself|my life|living'],
      ['give up|giving up|given up', 0, 'on life|on everything|living'],
      ['no', 0, 'hope', 1, 'left|for me|anymore'],
      ['what', 0, 's|is', 0, 'the point', 1, 'living|life|anything|going on|it all'],
      ['don t|dont|do not', 1, 'want', 0, 'to be here$|to wake up$|to live like this'],
      ['wish|want', 2, 'to disappear|could disappear|disappear'],
    ],
  },
]

const MATAR = 'matarme|suicidarme|ahorcarme|ahogarme|colgarme|envenenarme|pegarme un tiro|quitarme la vida'
const PASTILLAS = 'pastillas|tabletas|comprimidos|medicamentos|paracetamol|somniferos|veneno|lejia'
const PRONTO = 'esta noche|hoy|manana|ahora mismo|anoche|ayer|este fin de semana|la semana pasada'
const GENTE =
  'el|ella|ellos|todos|mi (?:jefe|marido|esposo|esposa|mujer|novio|novia|madre|padre|mama|papa|hermano|hermana|hijo|hija|hijos|ex|familia|vecino|vecina)'

const ES: readonly CrisisPhrases[] = [
  {
    level: 'acute',
    kind: 'suicide',
    phrases: [
      [`${MATAR}|acabar con (?:todo|mi vida)|terminar con (?:todo|mi vida)`, 6, PRONTO],
      [
        PRONTO,
        6,
        `${MATAR}|me mato|acabar con (?:todo|mi vida)|acabo con (?:todo|mi vida)|terminar con (?:todo|mi vida)`,
      ],
      [
        'tome|tomado|tomar|trague|tragado|ingeri|bebi',
        2,
        'todas?|todo|frasco|caja|bote|blister|muchas|demasiadas|\\d+',
        4,
        PASTILLAS,
      ],
      ['sobredosis'],
      ['cartas?|notas?', 0, 'de despedida|suicidas?|de suicidio'],
      ['tengo|compre|consegui', 4, 'pastillas|cuerda|soga|pistola|arma|cuchillo', 8, `${MATAR}|hacerlo|acabar con`],
      ['estoy', 3, 'puente|azotea|tejado|balcon|ventana|vias', 6, 'saltar|tirarme|lanzarme|ahora'],
      ['voy a', 1, 'saltar|tirarme|lanzarme', 2, 'puente|azotea|tejado|balcon|ventana|tren|metro'],
      ['cuantas|cuantos|cuanto', 4, PASTILLAS, 6, 'morir|morirme|matar|matarme|letal'],
      ['forma|manera|metodo|modo', 4, 'de|para', 0, 'morir|morirme|matarme|suicidarme|suicidarse'],
      ['como', 2, MATAR],
      ['intente|he intentado|trate de', 1, MATAR],
    ],
  },
  {
    level: 'risk',
    kind: 'suicide',
    phrases: [
      [MATAR],
      ['me', 0, 'quiero|quisiera|voy a|quiero solo', 1, 'matar|morir|suicidar'],
      [
        'quiero|quisiera|prefiero|preferiria|deseo|deberia|necesito',
        1,
        'morir(?! de)|morirme(?! de)|estar muert[oa]|no existir',
      ],
      ['ganas de', 0, 'morir|morirme|no vivir|matarme'],
      ['ojala', 2, 'muriera|muriese|estuviera muert[oa]|hubiera nacido|hubiese nacido'],
      [
        'pienso|pensando|pensado|pensar|penso|considero|considerado|planeo|planeando',
        3,
        'suicidio|suicidarme|la muerte como',
      ],
      ['ideas?|pensamientos?|intentos?', 0, 'suicidas?|de suicidio|de muerte'],
      ['soy|estoy|me siento', 1, 'suicida'],
      ['acabar|terminar', 0, 'con', 0, 'todo$|todo esto|mi vida|mi existencia|mi sufrimiento'],
      ['estarian|estaria|vivirian|seria|serian', 2, 'mejor|mas felices?', 1, 'sin mi|si me muriera|si yo no'],
      ['mejor', 0, 'muert[oa]'],
      ['se', 0, 'quiere|quiera', 1, 'matar|morir|suicidar'],
      ['quiere|dice|amenaza|amenazo', 4, 'matarse|suicidarse|quitarse la vida|morirse'],
      ['desaparecer', 1, 'de este mundo|del mundo|para siempre'],
    ],
  },
  {
    level: 'risk',
    kind: 'suicide',
    isPlain: true,
    phrases: [
      [
        'no|ya no',
        1,
        'quiero|quisiera|deseo|tengo ganas de',
        1,
        'vivir(?: mas| asi)?$|seguir viviendo|estar viv[oa]|existir|vivir mas|seguir en este mundo',
      ],
      [
        'no|ninguna?|ningun',
        3,
        'sentido|razon|motivo|razones|motivos',
        1,
        'a|de|para|en',
        0,
        'vivir|seguir viviendo|seguir viv[oa]|la vida$',
      ],
      ['no', 1, 'vale|merece', 0, 'la pena', 1, 'vivir|seguir viviendo|seguir viv[oa]'],
      [
        'ojala|quisiera|quiero|espero',
        3,
        'no',
        1,
        'despertar(?:a|me|ara)?|despierte|despertarme',
        0,
        '$|mas|nunca|manana|jamas',
      ],
      ['cansad[oa] de', 0, 'vivir|la vida|estar viv[oa]'],
    ],
  },
  {
    level: 'risk',
    kind: 'self-harm',
    phrases: [
      [
        'me corto|me corte|cortarme|me estoy cortando|me he cortado',
        1,
        'los brazos|las venas|las munecas|las piernas|la piel|el brazo|la muneca|otra vez',
      ],
      [
        'me hago dano|hacerme dano|lastimarme|me lastimo|me autolesiono|autolesionarme|autolesionando|autolesionandome|autolesiones',
      ],
      ['quiero|ganas de|necesito', 1, 'cortarme|quemarme'],
    ],
  },
  {
    level: 'risk',
    kind: 'violence',
    phrases: [
      ['voy a', 0, 'matar|apunalar|disparar|asesinar', 0, 'a', 0, GENTE],
      ['lo|la|los|las', 0, 'voy a', 0, 'matar|apunalar|asesinar'],
    ],
  },
  {
    level: 'concern',
    kind: 'suicide',
    isPlain: true,
    phrases: [
      ['no', 0, 'aguanto|puedo', 0, 'mas'],
      ['me siento|estoy|soy', 2, 'sin esperanza|inutil|una carga|vaci[oa]|desesperad[oa]'],
      ['odio', 0, 'mi vida|vivir'],
      ['mi vida', 0, 'no vale nada|no tiene sentido'],
      ['quiero', 0, 'desaparecer'],
    ],
  },
]

const ZH: readonly CrisisPatterns[] = [
  {
    level: 'acute',
    kind: 'suicide',
    patterns: [
      /遗书|绝笔|遗言(?:都)?写/u,
      /(?:吞|吃|服|喝)(?:下|了|掉|完)?了?(?:整|一整|一大?|好几|几十|很多|大量|半|\d+|所有|全部).{0,3}(?:瓶|把|片|粒|颗|盒|的)?的?.{0,3}(?:安眠|止痛|退烧|抗抑郁)?(?:药|农药|毒药|百草枯)/u,
      /(?:喝了?|吃了?)(?:农药|百草枯|敌敌畏|毒药)/u,
      /(?:站|坐|爬).{0,2}(?:在|到|上).{0,6}(?:天台|楼顶|顶楼|桥上|桥边|栏杆|窗台|悬崖|铁轨)/u,
      /(?:买|准备|备|藏|攒)(?:好|了|够)*.{0,4}(?:安眠药|绳子?|炭|农药|毒药).{0,14}(?:死|结束|解脱|自杀|离开|了断)/u,
      /(?:今晚|今天|明天|明晚|现在|马上|这就|等会).{0,8}(?:自杀|去死|结束(?:这|自己|一切|生命)|跳(?:楼|河|江|下去)|割腕|上吊|了断)/u,
      /割(?:了)?(?:腕|脉|动脉|手腕)(?!表)/u,
      /(?:怎么|怎样|如何|什么(?:方法|方式|办法))(?!.{0,3}不).{0,6}(?:自杀|去死|死(?:才|最|比较|得|掉|不)|能死|可以死)/u,
      /吃(?:多少|几).{0,6}(?:药|片).{0,4}(?:会|能|才|可以)死/u,
    ],
  },
  {
    level: 'risk',
    kind: 'suicide',
    patterns: [
      /(?<!不)(?<!笑|累|热|冷|饿|烦|气|吓)(?:想|想要|真想|好想|只想|很想)(?:去)?死(?!你|党|他|她|我|妈|爸|磕|了你|定|人|记|心|守|亡|后|者|机)/u,
      /(?:想|想要|要|准备|打算|考虑|试图|企图|尝试|计划|想着|想到|想过)(?:要|去|过)?自杀/u,
      /自杀(?:的|这)?(?:个)?(?:念头|想法|冲动|意念|倾向|计划|打算)/u,
      /(?:想|要|打算|准备|有).{0,3}(?:轻生|寻短见|自尽|寻死|了断|自我了结)/u,
      /轻生的/u,
      /(?:自杀|上吊|跳楼|割腕|轻生|寻死|跳湖|跳河).{0,6}(?:没(?:有)?成功|没死成|未遂|失败|被救|没死|过(?:一|两|几|好|\d)?次?)/u,
      /(?:结束|了结|终结)(?:掉|了)?(?:我|自己|我自己|这|这条|这一)?的?(?:生命|性命|这条命|一生|这一切|一切(?!工作|关系))/u,
      /了结自己|一了百了|一死了之/u,
      /(?:想|要|打算|准备)(?:要)?(?:永远|彻底)?(?:离开|告别)(?:这个?|人)(?:世界|世上|世|间|人世|人间)/u,
      /(?:想|要|打算|准备|就).{0,3}(?:从.{0,8})?(?:跳楼|跳河|跳湖|跳江|跳桥|跳海|跳下去|卧轨|上吊|撞车)(?!机|价|梯|的新闻)/u,
      /(?:不如|还是|干脆|宁愿|宁可|真该|倒不如)(?:就|去)?死(?:了|掉|去|算)/u,
      /死了(?:算了|也好|更好|拉倒|得了|就好)|死掉(?:算了|就好|也好)/u,
      /我(?:要是|如果)?死了?.{0,8}(?:轻松|解脱|开心|高兴|省心|在乎|在意|难过)/u,
      /没有我.{0,6}(?:更好|会好|轻松|幸福)/u,
    ],
  },
  {
    level: 'risk',
    kind: 'suicide',
    isPlain: true,
    patterns: [
      /不想(?:再)?(?:继续)?活(?!得|成|在别|动|出|跃)/u,
      /(?:没有?|失去|找不到|没了).{0,3}(?:活(?:着|下去)?|生存|活着下去)的?(?:理由|意义|勇气|动力|希望|欲望|念头)/u,
      /活(?:着|下去)(?:真的?|还|也)?(?:没有?|有什么|有啥|毫无)(?:任何|什么|啥)?(?:意义|意思|价值|用)/u,
      /(?<!养|存|快|干|生)活不下去/u,
      /(?:再也|永远|就)?(?<!(?:怕|担心|恐惧|万一).{0,10})(?:不要?|不用|别|不会|不想|不必)(?:再)?醒(?:过来|来|了)?(?:就好|多好|该多|了|$|,)/u,
      /不想(?:再)?(?:存在|待在|留在)(?:于|在)?(?:这个?|人)(?:世界|世上|世|间)/u,
    ],
  },
  {
    level: 'risk',
    kind: 'self-harm',
    patterns: [
      /(?:想|要|会|忍不住|控制不住|经常|总是|一直|又|开始|在|有|进行|通过|靠)(?:(?!不|没|别).){0,4}(?:伤害自己(?!的(?!身体))|自残|(?<!独)自伤(?!心|感)|自虐)/u,
      /(?:用|拿).{0,6}(?:刀|刀片|剪刀|针|烟头|玻璃).{0,4}(?:划|割|扎|烫|刺|戳).{0,4}(?:自己|手|胳膊|腿|皮肤|身体)/u,
      /(?<![规计策企筹谋])(?:划|割|烫)(?:伤|破|了|过)*(?:自己|(?:我的?|自己的?)?(?:手|胳膊|大腿|皮肤|手臂|手腕))(?!机|术)/u,
      /(?:第.次|次|曾经|我也?|还)自残|自残(?:过|行为|了)/u,
    ],
  },
  {
    level: 'risk',
    kind: 'violence',
    patterns: [
      /(?<!谁)我.{0,6}(?:要|想|会|打算|准备|去)(?:去)?(?:杀|捅|砍|弄)(?:死|了|掉)?(?:他|她|你|他们|她们|老板|老师|同学|室友|老公|老婆|丈夫|妻子|全家)/u,
      /(?:杀人|杀了他|杀了她|报复社会)的(?:念头|想法|冲动)/u,
    ],
  },
  {
    level: 'concern',
    kind: 'suicide',
    isPlain: true,
    patterns: [
      /撑不下去|坚持不下去|熬不下去/u,
      /活(?:着|得)(?:好|太|真|很)累/u,
      /(?:绝望|是(?:个)?累赘|是(?:个)?负担|毫无价值|一无是处)/u,
      /想(?:要)?消失|我消失了/u,
      /(?:总|老|经常|一直|常常|有时|会).{0,3}想(?:到|起|着)?死(?:亡|掉)?(?!党)/u,
      /死亡?(?:是|就是|才是)(?:一种)?解脱/u,
      /厌世|生无可恋|人间不值得/u,
    ],
  },
]

/** The most pressing ones first. */
export const CRISIS_PHRASES: Readonly<Record<'en' | 'es', readonly CrisisPhrases[]>> = { en: EN, es: ES }
export const CRISIS_PATTERNS: readonly CrisisPatterns[] = ZH

/** Words before a phrase that deny it, among the last four; not those before somebody is told of it. */
export const DENIALS: Readonly<Record<'en' | 'es', RegExp>> = {
  en: /(?<!\b(?:can|could|couldn|cannot)(?: t)?(?: \S+)?) ?\b(?:never|not|no|don t|dont|didn t|doesn t|haven t|hasn t|hadn t|wouldn t|won t|without|isn t|aren t|wasn t|deny|denies|neither|nor|avoid|prevent|preventing)\b(?! (?:sure|only|stop|stopped|help))(?!.*\b(?:told|tell|telling|said|say|that|because|but|and|so|anyone|know)\b)/u,
  es: /\b(?:no|nunca|jamas|tampoco|ni|sin|evitar|prevenir)\b(?! (?:puedo|se|dejo|paro))(?!.*\b(?:dije|dicho|que|pero|porque|y)\b)/u,
}
/** The same in Chinese, of the last seven characters. */
export const DENIAL_ZH: RegExp =
  /(?:没有?|从未|从不|不会|(?<!是)不是|不再|不想|不要|并非|防止|预防|避免|阻止|不曾|禁止|反对|不至于)[^,但却]{0,4}$/u
