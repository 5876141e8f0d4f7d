// Where tests of models compute: on the CPU, or all of them on a GPU with ANNEAL_TEST_DEVICE=cuda.
export const DEVICE: string = process.env.ANNEAL_TEST_DEVICE ?? 'cpu'
