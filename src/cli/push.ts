// `anneal push DIR ORG/NAME`: a model, adapter, GGUF file or dataset to the hub, checked, with its card and lineage, as one commit.
import { type Command, defineCommand } from './command.ts'
import { reportEvents } from './report-events.ts'

export const command: Command = defineCommand({
  summary: 'upload a model, adapter, GGUF file or dataset to the Hugging Face hub',
  positionals: {
    name: 'DIR ORG/NAME',
    summary: 'a folder or .gguf file, and where it goes; HF_TOKEN holds a token that may write there',
    min: 2,
    max: 2,
  },
  options: {
    revision: { kind: 'text', value: 'BRANCH', summary: 'branch; without it, main' },
    message: { kind: 'text', value: 'TEXT', summary: 'first line of the commit message' },
    license: { kind: 'text', value: 'ID', summary: 'licence of the card where it names none, such as apache-2.0' },
    create: { kind: 'flag', summary: 'make the repository, and the branch, where they are not there' },
    private: { kind: 'flag', summary: 'with --create: only its owners see it' },
    all: {
      kind: 'flag',
      summary: 'with checkpoints and the state of their optimizer, lines that could not be read, and pickles',
    },
    'allow-secrets': { kind: 'flag', summary: 'let go what looks like tokens, keys or passwords, and is none' },
    'dry-run': { kind: 'flag', summary: 'check, and list what would go; nobody is asked' },
  },
  examples: [
    'push runs/chats ORG/chats --create --private',
    'push merged.gguf ORG/chats-GGUF --message "Q4_K"',
    'push corpus ORG/corpus --license cc-by-4.0 --dry-run',
  ],
  run: async ({ positionals, options, output }) => {
    const [path, to] = positionals as [string, string]
    const { push } = await import('../run/push/push.ts')
    await reportEvents(push({ path, to, ...options }), output)
  },
})
