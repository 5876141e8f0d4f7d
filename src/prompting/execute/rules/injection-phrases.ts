// How attempts to command a model are worded, by language, as sequences of alternatives with room between them. Written without accents, as
// `folded` makes them.

import type { Phrase } from './phrase-pattern.ts'

/** What an attempt is after. */
export type Attempt = 'override' | 'reveal' | 'role' | 'command' | 'exfiltrate'

const EN_RULES =
  'instructions?|rules?|prompts?|guidelines?|directions|directives?|commands?|constraints?|orders|restrictions|polic(?:y|ies)|programming|safeguards'
const EN_NO_RULES =
  '(?:no|without|without any|free of|free from|freed from|zero|lacks?) (?:rules|restrictions|limits|limitations|filters?|guidelines|ethics|boundaries|censorship|constraints|safeguards)'
const EN_READER = 'ai|llms?|language models?|ai assistants?|the assistant|chatbots?|ai agents?|ai models?|ai systems?'

export const PHRASES: Readonly<Record<Attempt, readonly Phrase[]>> = {
  override: [
    [
      'ignor(?:e|ing)|disregard(?:ing)?|forget|overrid(?:e|ing)|bypass|discard|overrule|stop following|stop obeying|(?:do not|don t|no longer) (?:follow|obey)|pay no attention to',
      4,
      'previous|prior|above|earlier|preceding|foregoing|former|initial|original|system|your|safety|hidden',
      2,
      EN_RULES,
    ],
    [
      'ignore|disregard|forget|override|discard|pay no attention to',
      3,
      EN_RULES,
      1,
      'above|before this|earlier|you were given|you have been given|you received|so far|from the system|until now|previously',
    ],
    [
      'ignore|disregard|forget|discard',
      0,
      'everything|all|anything|whatever',
      1,
      'above|you were told|you have been told|said before|stated before|written above|before this line',
    ],
    [
      'system|admin|administrator|security|priority|root',
      0,
      'override',
      1,
      'code|accepted|enabled|active|engaged|notice|mode|protocol|authori[sz]ed',
    ],
    // da
    [
      'ignorer|glem|se bort fra|tilsidesaet|bryd|underkend',
      2,
      'tidligere|foregaende|ovenstaende|forrige|oprindelige|dine|alle',
      2,
      'instruktioner|instrukser|regler|ordrer|anvisninger|kommandoer|retningslinjer|beskeder',
    ],
    // de
    [
      'ignorier\\w*|vergiss|vergessen sie|missacht\\w*|ubergeh\\w*|uberspring\\w*|beachte nicht',
      2,
      'vorherig\\w*|bisherig\\w*|obig\\w*|vorangegangen\\w*|vorangehend\\w*|ursprunglich\\w*|fruher\\w*|deine|ihre|alle',
      2,
      'anweisung(?:en)?|instruktion(?:en)?|regeln|befehle|vorgaben|richtlinien|anordnungen',
    ],
    // es
    [
      'ignor(?:a|e|ar|en)|olvid(?:a|e|ar|en)|descart(?:a|e|ar)|omite|haz caso omiso de|no sigas|desobedece',
      3,
      'instrucciones|ordenes|reglas|indicaciones|directrices|normas|comandos',
      2,
      'anteriores|previas|originales|iniciales|de arriba|del sistema|precedentes',
    ],
    [
      'ignor(?:a|e|ar)|olvid(?:a|e|ar)|desobedece|no sigas',
      1,
      'tus',
      1,
      'instrucciones|ordenes|reglas|indicaciones|directrices|normas',
    ],
    // fr
    [
      'ignor(?:e|ez|er)|oubli(?:e|ez|er)|neglig(?:e|ez|er)|ne (?:tiens|tenez) pas compte|ne suis pas|ne suivez pas|fais abstraction|desobei\\w*',
      3,
      'instructions|consignes|regles|ordres|directives|commandes|indications',
      2,
      'precedent(?:e|es|s)?|anterieur(?:e|es|s)?|initial(?:e|es)?|ci dessus|d origine|du systeme|recues',
    ],
    [
      'ignor(?:e|ez|er)|oubli(?:e|ez|er)|desobei\\w*',
      1,
      'tes|vos',
      1,
      'instructions|consignes|regles|ordres|directives',
    ],
  ],
  reveal: [
    [
      'reveal|show|print|repeat|output|display|tell|give|dump|leak|write|recite|disclose|expose|share|paste|copy|quote|return|translate|summari[sz]e|what (?:is|are|was|were)|spell|encode|list|state|begins? with|starts? with',
      5,
      'system prompt|system message|system instructions|(?:initial|hidden|secret|developer|original) (?:prompt|instructions|message)|pre prompt|your (?:prompt|confidential instructions)|(?:text|words|everything|lines|content) above|instructions (?:above|you were given|you received|verbatim)',
    ],
    [
      'reveal|repeat|print|show|leak|dump|recite|disclose|what (?:are|were)|tell me|paste',
      3,
      'your|the',
      1,
      'instructions|guidelines|internal rules|configuration',
      4,
      'verbatim|word for word|exactly|in full|code block|you were given|at the start',
    ],
    ['reveal|leak|dump|disclose|what are', 1, 'your', 2, 'instructions'],
    [
      'vis|gentag|afslor|udskriv|fortael|skriv|giv',
      3,
      'systemprompt\\w*|system prompt\\w*|systembesked\\w*|dine instruktioner|dine instrukser|skjulte instruktioner',
    ],
    [
      'zeig\\w*|gib|verrat\\w*|wiederhol\\w*|nenn\\w*|druck\\w*|schreib\\w*|offenbar\\w*',
      3,
      'system ?prompt\\w*|systemanweisung\\w*|systemnachricht|deine (?:\\w+ )?(?:anweisungen|instruktionen)',
    ],
    [
      'muestra\\w*|revela\\w*|repite\\w*|imprime|dime|escribe|dame|cual es|cuales son|ensena\\w*',
      3,
      '(?:prompt|mensaje|instrucciones) (?:del|de) sistema|tu prompt|tus instrucciones|instrucciones (?:iniciales|originales|ocultas|secretas)',
    ],
    [
      'montre\\w*|revele\\w*|repete\\w*|affiche\\w*|donne\\w*|ecris|imprime|dis moi|quelles? (?:est|sont)|divulgue\\w*',
      3,
      '(?:prompt|message|invite|instructions) systeme|(?:tes|vos) (?:instructions|consignes)|(?:prompt|instructions) (?:initial|initiales|cache|cachees|secret|secretes)',
    ],
  ],
  role: [
    [
      'you are now|from now on you|act as|pretend (?:to be|you are|that you)|role ?play as|imagine you are|behave (?:as|like)|simulate|you will be|you re now|play the (?:role|part) of|answer as|respond as|speak as',
      12,
      `dan|jailbroken|unrestricted|uncensored|unfiltered|${EN_NO_RULES}|do anything now|no longer bound|not bound by|ignores? (?:all )?(?:rules|safety)|never refuses?`,
    ],
    ['do anything now'],
    [
      'developer|god|jailbreak|debug|maintenance|sudo|unrestricted|dan',
      0,
      'mode',
      1,
      'enabled|activated|on|unlocked|engaged',
    ],
    ['enable|activate|enter|switch to|unlock', 1, '(?:developer|god|jailbreak|sudo|unrestricted|dan) mode'],
    [
      'du er nu|lad som om du er|fra nu af er du|spil rollen som|optraed som',
      10,
      'uden (?:nogen )?(?:regler|begraensninger|filtre|filter)|ingen (?:regler|begraensninger)|ubegraenset|ucensureret',
    ],
    [
      'du bist (?:jetzt|nun|ab sofort)|ab (?:jetzt|sofort) bist du|tu so als|stell dir vor du|spiele? die rolle|verhalte dich',
      10,
      'ohne (?:jegliche |alle )?(?:regeln|einschrankungen|filter|grenzen|beschrankungen)|uneingeschrankt\\w*|unzensiert\\w*|keine (?:regeln|einschrankungen|grenzen)',
    ],
    [
      'ahora eres|a partir de ahora eres|actua como|finge (?:ser|que)|imagina que eres|hazte pasar por',
      10,
      'sin (?:ningun[ao]? )?(?:restriccion(?:es)?|reglas?|limites?|filtros?|censura)|ilimitad\\w*|no tiene (?:reglas|restricciones)',
    ],
    [
      'tu es (?:maintenant|desormais)|a partir de maintenant tu es|agis comme|fais semblant|fais comme si|imagine que tu es|joue le role|comporte toi',
      10,
      'sans (?:aucune? )?(?:restrictions?|regles?|limites?|filtres?|censure)|illimite\\w*|aucune (?:regle|restriction|limite)',
    ],
  ],
  command: [
    [
      'new|updated|revised|real|actual|important|urgent',
      1,
      'instructions?|directives?|orders?|task|prompt|message',
      0,
      'for|to',
      1,
      EN_READER,
    ],
    ['attention|note|notice|instructions?|reminder', 0, 'to|for', 1, EN_READER],
    ['if|when|since|because|as', 0, 'you are', 1, EN_READER],
    [
      EN_READER,
      0,
      'processing|reading|summari[sz]ing|parsing|that reads?|which reads?|must now|should now|analy[sz]ing',
      1,
      'this|the|call|send|ignore|reply|output|say',
    ],
    ['your new', 0, 'instructions|task|goal|objective|orders|directive|role', 0, 'is|are'],
    [
      'the user (?:has )?(?:already )?',
      0,
      'authori[sz]ed|approved|confirmed|consented',
      3,
      'transfer|deletion|call|action|payment|request|tool',
    ],
    [
      'end of',
      0,
      'document|text|article|email|context|data|input|user input|quoted text|untrusted text',
      3,
      'instruction|instructions|system|new task|now',
    ],
    ['must|now|immediately|then|first', 0, 'call|invoke|execute|run', 2, 'tool|function'],
  ],
  exfiltrate: [
    [
      'append|add|include|insert|embed|put|render|attach|encode|place',
      8,
      'conversation|chat history|system prompt|secrets?|passwords?|api keys?|credentials|user s (?:data|name|email)|previous messages|user data',
      8,
      'url|link|image|query|query string|parameter|markdown|address bar',
    ],
    [
      'send|forward|post|upload|email|transmit|exfiltrate|leak|bcc|mail',
      5,
      'conversation|chat history|chat log|passwords|api keys?|credentials|secrets|private (?:data|key)|system prompt|inbox|contacts|customer (?:list|data|records)',
      4,
      'to|at',
      3,
      'http|https|www|com|net|org|attacker|evil|address|server|webhook|\\w+ at \\w+',
    ],
  ],
}
