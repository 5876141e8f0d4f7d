#!/usr/bin/env bash
# The first thing to run on a machine with an NVIDIA GPU, in under ten minutes: builds against the PyTorch that is there, tests what a GPU
# must do as the CPU does, then measures ours against Transformers and PEFT. `bench/cuda/run.sh OUT [tests|suite|bench …]`; default tests and bench.
# Every part runs; the exit code is 1 where one of them failed.
# Needs g++, a python3 with a CUDA torch (transformers and peft for the peer), and Node 20 with the packages of `npm ci`.
set -uo pipefail
cd "$(dirname "$0")/../.."
out=${1:?where to put the results}
shift
parts=${*:-tests bench}
mkdir -p "$out"
export NO_COLOR=1
code=0
export ANNEAL_LIBTORCH=${ANNEAL_LIBTORCH:-$(python3 -c 'import os, torch; print(os.path.dirname(torch.__file__))')}

stamp() { echo "== $SECONDS s: $*"; }
nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader | tee "$out/gpu.txt"
stamp 'setup'
node --import tsx src/cli/main.ts setup 2>&1 | tail -5 || exit 1
node --import tsx src/cli/main.ts doctor 2>&1 | tee "$out/doctor.txt"
for part in $parts; do
  stamp "$part"
  case $part in
    tests)
      ANNEAL_TEST_DEVICE=cuda timeout 150 node_modules/.bin/vitest run --maxWorkers=6 test/cuda src/model/decoder-families.test.ts src/model/decoder.test.ts \
        src/probe/probe.test.ts src/methods/sleb/sleb.test.ts >"$out/tests.txt" 2>&1 || code=1
      tail -60 "$out/tests.txt"
      ;;
    # Everything as a user with a GPU has it: what takes `device: auto` runs there.
    suite)
      timeout "${SUITE_SECONDS:-240}" node_modules/.bin/vitest run --maxWorkers=12 >"$out/suite.txt" 2>&1 || code=1
      tail -15 "$out/suite.txt"
      ;;
    bench)
      timeout "${OURS_SECONDS:-200}" node --import tsx bench/cuda/ours.ts "$out/ours.json" ${CASES:-} 2>&1 | cut -c1-600 || code=1
      stamp 'the peer'
      timeout "${PEER_SECONDS:-200}" python3 bench/cuda/peer.py "$out/peer.json" ${PEER_CASES:-} 2>&1 | cut -c1-600 || code=1
      ;;
  esac
done
stamp 'done'
exit $code
