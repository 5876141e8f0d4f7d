export interface EngineRecord {
  addon: string
  libtorch: string
  version: string
  how: string
  cuda: boolean
  builtAt: string
}
export function readEngineRecord(): EngineRecord | undefined {
  return {
    addon: new URL('../../../build/anneal.node', import.meta.url).pathname,
    libtorch: '',
    version: '2.13.0',
    how: '',
    cuda: false,
    builtAt: '',
  }
}
