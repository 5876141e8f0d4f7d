#!/usr/bin/env bash
# EI-ARAG's large toy world on a GPU, every seed in a process of its own: `bench/cuda/ei-arag.sh OUT [SEEDS [OPTIONS …]]`, default 1 2;
# with TESTS=1 the tests of reading, inspecting and scheduling on the GPU go first, with SETUP=1 the build before them. One JSON for each
# seed and one of all. A part that takes longer than its cap is ended, and the others go on.
set -uo pipefail
cd "$(dirname "$0")/../.."
out=${1:?where to put the results}
seeds=${2:-1 2}
shift $(($# < 2 ? $# : 2))
mkdir -p "$out"
export NO_COLOR=1 NODE_OPTIONS=--max-old-space-size=16000
export ANNEAL_LIBTORCH=${ANNEAL_LIBTORCH:-$(python3 -c 'import os, torch; print(os.path.dirname(torch.__file__))')}
stamp() { echo "== $SECONDS s: $*"; }
nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader | tee "$out/gpu.txt"
if [ "${SETUP:-0}" = 1 ]; then
  stamp setup
  node --import tsx src/cli/main.ts setup 2>&1 | tail -3 || exit 1
fi
if [ "${TESTS:-0}" = 1 ]; then
  stamp tests
  ANNEAL_TEST_DEVICE=cuda timeout "${TEST_SECONDS:-120}" node_modules/.bin/vitest run --maxWorkers=4 src/infer/inspect.test.ts \
    src/infer/engine src/infer/scheduler.test.ts src/infer/score.test.ts src/infer/hidden-states.test.ts test/cuda \
    >"$out/tests.txt" 2>&1 &
fi
gpu=$(head -1 "$out/gpu.txt" | cut -d, -f1)
run() { node --import tsx experiments/ei-arag/run.ts --large --device cuda --gpu "$gpu" --keep "${KEEP:-/tmp/ei-arag}" "$@"; }
stamp seeds
for seed in $seeds; do
  ANNEAL_THREADS=${THREADS:-4} timeout -s KILL "${SEED_SECONDS:-450}" bash -c "gpu='$gpu'; $(declare -f run); run \"\$@\"" - \
    --seeds "$seed" --out "$out/seed-$seed.json" "${@}" 2>&1 | sed "s/^/[$seed] /" | tee "$out/seed-$seed.txt" &
done
wait
stamp together
found=$(ls "$out"/seed-*.json 2>/dev/null)
[ -z "$found" ] || run --out "$out/toy-gpu.json" $found
[ ! -f "$out/tests.txt" ] || grep -E 'FAIL|Tests|Test Files|Error' "$out/tests.txt" | tail -20
stamp done
