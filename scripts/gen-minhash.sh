#!/bin/sh
# Compiles src/data/curate/minhash.wat into minhash-wasm.gen.ts beside it. The assembler is fetched for the moment (WABT 1.0.39).
set -e
cd "$(dirname "$0")/../src/data/curate"
out=$(mktemp)
npx --yes -p wabt@1.0.39 wat2wasm minhash.wat -o "$out"
{
  echo '// Made by scripts/gen-minhash.sh from minhash.wat: the module in base64.'
  echo
  printf "export const MINHASH_WASM: string =\n  '%s'\n" "$(base64 "$out" | tr -d '\n')"
} > minhash-wasm.gen.ts
rm "$out"
