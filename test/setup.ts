// Two test processes share two cores: one LibTorch thread each, which also fixes the order of sums.
import './matchers.ts'

process.env.ANNEAL_THREADS ??= '1'
