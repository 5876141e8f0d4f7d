// Makes test/fixtures/hub-cache: a cache that Python's huggingface_hub wrote, asking the small hub of the tests.
//   HUB_PYTHON=ELSEWHERE/bin/python npx tsx scripts/goldens/hub-cache.ts      # a Python with huggingface_hub; made with 1.33
// Locks are left out: they are empty files.
import { execFile } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { HUB_FILES, HubServer } from '../../test/hub-server.ts'

const target = fileURLToPath(new URL('../../test/fixtures/hub-cache', import.meta.url))
const program = `
from huggingface_hub import hf_hub_download, snapshot_download
snapshot_download("org/tiny", ignore_patterns=["*.bin", ".gitattributes", "onnx/*"])
for name in ["config.json", "tokenizer.json"]:
    hf_hub_download("org/by-file", name, revision="v1.0")
snapshot_download("org/rows", repo_type="dataset")
`
const server = await HubServer.start()
server.add('models/org/tiny', HUB_FILES)
server.add('models/org/by-file', HUB_FILES).refs = { 'v1.0': 'a'.repeat(40) }
server.add('datasets/org/rows', { 'README.md': '# rows', 'data/train.jsonl': '{"text":"one"}\n' })
const home = mkdtempSync(join(tmpdir(), 'hub-cache-'))
try {
  const env = { ...process.env, HF_HOME: home, HF_ENDPOINT: server.endpoint, HF_HUB_DISABLE_TELEMETRY: '1' }
  await promisify(execFile)(process.env.HUB_PYTHON ?? 'python3', ['-c', program], { env })
  rmSync(target, { recursive: true, force: true })
  rmSync(join(home, 'hub', '.locks'), { recursive: true })
  cpSync(join(home, 'hub'), target, { recursive: true, verbatimSymlinks: true })
} finally {
  rmSync(home, { recursive: true })
  await server.close()
}
