// Words that decide whether two questions are the same, for `questionFacts`: English ones, and a few of Danish, Spanish and German.

const table = (text: string): Set<string> => new Set(text.split(/\s+/).filter(Boolean))

const SMALL =
  `zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen
 nineteen twenty`
    .split(/\s+/)
    .map((word, i): [string, string] => [word, String(i)])
const ORDINALS = 'zeroth first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth'
  .split(' ')
  .map((word, i): [string, string] => [word, `${i}th`])
const TENS = 'thirty forty fifty sixty seventy eighty ninety'
  .split(' ')
  .map((word, i): [string, string] => [word, String(10 * (i + 3))])
/** Words of Danish, Spanish and German that are no English words. */
const OTHERS: readonly [string, string][] = [
  ['tre', '3'],
  ['fem', '5'],
  ['syv', '7'],
  ['otte', '8'],
  ['ni', '9'],
  ['tolv', '12'],
  ['dos', '2'],
  ['tres', '3'],
  ['cuatro', '4'],
  ['cinco', '5'],
  ['seis', '6'],
  ['siete', '7'],
  ['ocho', '8'],
  ['nueve', '9'],
  ['diez', '10'],
  ['zwei', '2'],
  ['drei', '3'],
  ['vier', '4'],
  ['fünf', '5'],
  ['sechs', '6'],
  ['sieben', '7'],
  ['acht', '8'],
  ['neun', '9'],
  ['zehn', '10'],
]
export const NUMBERS: ReadonlyMap<string, string> = new Map<string, string>([
  ...SMALL,
  ...ORDINALS,
  ...TENS,
  ...OTHERS,
  ['dozen', '12'],
  ['half', '1/2'],
  ['quarter', '1/4'],
  ['twice', '2x'],
  ['double', '2x'],
  ['triple', '3x'],
  ['hundred', '100'],
  ['thousand', '1000'],
  ['million', '1000000'],
  ['billion', '1000000000'],
])

/** Units and times, each with its other spellings behind it. */
export const UNITS: ReadonlyMap<string, string> = new Map<string, string>(
  `km kilometre kilometer|m metre meter|cm centimetre centimeter|mm millimetre millimeter|mile|ft foot feet|inch|yard|kg kilo kilogram|g gram|
mg milligram|lb pound lbs|oz ounce|l litre liter|ml millilitre milliliter|gallon|cup|tablespoon tbsp|teaspoon tsp|celsius centigrade|fahrenheit|
kelvin|second sec|minute min|hour|day|week|month|year|decade|century|euro eur €|dollar usd $|krone kroner dkk|yen jpy|gbp £|percent %|mb megabyte|
gb gigabyte|kb kilobyte|tb terabyte|watt|volt|today|tomorrow|yesterday|tonight|morning|noon|afternoon|evening|night|midnight|pm|monday|tuesday|
wednesday|thursday|friday|saturday|sunday|january|february|march|april|june|july|august|september|october|november|december|spring|summer|autumn|
winter|daily|weekly|monthly|yearly annual annually|weekend|weekday`
    .replaceAll('\n', '')
    .split('|')
    .flatMap((unit) =>
      unit
        .trim()
        .split(/\s+/)
        .map((word, _, [first]): [string, string] => [word, first!]),
    ),
)

export const NEGATIONS: ReadonlySet<string> =
  table(`no not never without none nothing nobody nowhere neither nor cannot except excluding unless hardly barely
 isnt arent wasnt werent dont doesnt didnt cant couldnt wont wouldnt shouldnt hasnt havent hadnt mustnt neednt
 ikke ingen aldrig uden hverken nunca jamás sin ningún ninguna tampoco nicht kein keine keinen keiner nie niemals ohne weder`)

/** Scales: words of the one end, and of the other. */
const SCALES = `on enable enabled enabling activate activated|off disable disabled disabling deactivate deactivated
open opened opening unlock|closed shut lock
start started starting begin begins beginning|stop stopped stopping end ends ending finish quit
increase increases increased raise raised raising grow gain gaining boost|decrease decreases decreased lower lowered lowering reduce reduces shrink lose losing
buy bought buying purchase|sell sold selling
add added adding insert attach|remove removed removing delete deleted deleting detach
install installed installing|uninstall uninstalled uninstalling
import imported importing|export exported exporting
encrypt encrypted encrypting encode|decrypt decrypted decrypting decode
upload uploaded uploading|download downloaded downloading
send sent sending|receive received receiving
lend lent lending|borrow borrowed borrowing
accept accepted accepting approve allow allowed allowing permit permitted|reject rejected rejecting deny denied refuse decline forbid forbidden block blocked blocking
win won winning|lost losing lose
arrive arrives arrival arriving|depart departs departure departing leave leaves
push pushed pushing|pull pulled pulling
show shown display unhide|hide hidden hiding
connect connected connecting|disconnect disconnected disconnecting
subscribe subscribed|unsubscribe unsubscribed
freeze freezing frozen|thaw melt melting
before|after
above over|below under beneath
left|right
up upwards|down downwards
top|bottom
inside|outside
north northern|south southern
east eastern|west western
high higher highest|low lowest
maximum max maximal most|minimum min minimal least fewest
more|less fewer
best|worst
better|worse
good|bad
old older oldest|young younger youngest new newer newest
big bigger biggest large larger largest|small smaller smallest little
long longer longest|short shorter shortest
tall taller tallest|shortest short
fast faster fastest quick|slow slower slowest
hot hotter hottest warm|cold colder coldest cool
cheap cheaper cheapest|expensive costly priciest
early earlier earliest|late later latest
light lighter lightest|heavy heavier heaviest
easy easier easiest|hard harder hardest difficult
deep deepest|shallow shallowest
near nearest closest|far farthest furthest
strong stronger strongest|weak weaker weakest
rich richer richest|poor poorer poorest
safe|unsafe dangerous
legal|illegal
true|false
always|never
male man men boy husband father son brother|female woman women girl wife mother daughter sister
husband|wife
son|daughter
father|mother
brother|sister
input|output
advantage advantages benefits pros|disadvantage disadvantages drawbacks cons
cause causes|effect effects
public|private
credit|debit
asset assets|liability liabilities
raw|cooked
possible|impossible
visible|invisible
sunrise|sunset
past last previous|future next upcoming
uppercase|lowercase
ascending|descending
encourage|discourage
invite|uninvite
multiply|divide
singular|plural
import|export
login signin|logout signout
follow|unfollow
mute|unmute
wet|dry
full|empty
day|night`
  .split('\n')
  .map((line) => line.split('|').map((end) => table(end)))

export const ENDS: Map<string, [scale: number, end: string][]> = new Map()
for (const [scale, ends] of SCALES.entries())
  for (const [i, words] of ends.entries())
    for (const word of words) ENDS.set(word, [...(ENDS.get(word) ?? []), [scale, i === 0 ? 'a' : 'b']])

/** Words with which it counts which of two things comes first. */
export const DIRECTED: ReadonlySet<string> = table('than over versus vs beat beats chase chases owes owe eats')
/** Where something comes from and where it goes to. */
export const TO: ReadonlySet<string> = table('to into onto towards')

/** How much of what is asked for: `how tall` is what `the height` is. */
export const MEASURES: ReadonlyMap<string, string> = new Map<string, string>(
  `height tall high|length long|age old|speed fast quick quickly|weight heavy|cost expensive price|size big large|temperature hot warm cold|
distance far|width wide|depth deep`
    .replaceAll('\n', '')
    .split('|')
    .flatMap((line) => line.split(' ').map((word, _, [noun]): [string, string] => [word, noun!])),
)

/** First words of questions and orders: a capital there makes no name of them. */
export const FIRST: ReadonlySet<string> =
  table(`a an the i my your our their his her its this that these those there here what which who whom whose when where why how
 is are was were am be been do does did can could will would shall should may might must have has had if in on at by for from of to with about
 and or but so as not no any some all every each many much more most please tell explain describe give show list find name define
 translate convert write make create help suggest recommend compare summarise summarize calculate compute say let need want got get
 hi hello hey thanks ok okay yes explain, roughly approximately exactly could anyone someone somebody people best worst during after before until
 since between under over near without within just into out too also whether then else own myself yourself me you we us them it he she they
 him what's one OK ok yes true right exactly really going go like such instructions steps ways way reason reasons difference meaning cost price time date number amount`)

/** What else questions are put with. */
export const FRAME: ReadonlySet<string> = table('using use used work works done does did do own high much many')
