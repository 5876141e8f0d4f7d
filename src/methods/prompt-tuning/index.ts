// The subpath `anneal/methods/prompt-tuning`: soft prompts, virtual tokens that are trained in front of every text.
export { loadPrompt, type PromptStart, savePrompt } from './prompt-files.ts'
export { addPrompt, type PromptOptions, promptOf, promptTuning } from './prompt-tuning.ts'
