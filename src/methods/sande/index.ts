// The subpath `anneal/methods/sande`: backdoors of chat models, simulated by soft tokens and taken out.
export { DEFENCES, type Defence, REPLAYS, type Replay } from './choices.ts'
export { type CrowOptions, crow } from './crow.ts'
export { type Exchange, ExchangeEncoder } from './exchange.ts'
export { type Parrot, type ParrotMember, type ParrotOptions, randomParrot, trainParrot } from './parrot.ts'
export { type CleanExchange, type SandeOptions, type SandeReport, sande } from './sande.ts'
