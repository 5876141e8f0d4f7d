#!/bin/sh
# From text of a language to a model that has learnt it: curate, extend the vocabulary, go on pre-training with replay, tune, evaluate.
#
#   MODEL=models/base TEXT=danish/ SOURCE=english/ CHATS=chats.jsonl recipes/language/adapt.sh
#
# MODEL   directory or name on the hub of a model of another language
# TEXT    a file or a folder of the language to learn       LANGUAGE    its code (da)
# SOURCE  text of the language that the model knows          REPLAY      its share of what is learnt (0.25; 0: none)
# CHATS   conversations in the new language; without them the model is not tuned
# OUT     where everything goes (runs/language)              NEW_TOKENS  tokens to add to the vocabulary (0: it stays)
# TASKS, EVAL_DATA  tasks for every checkpoint and where their data is (`scala` and a treebank or ScaLA's files)
# CURATE, TRAIN, TUNE  more options of those commands, such as TRAIN="--max_steps 1000 --max_length 512"
#
# Run it again after a stop: what is done stays, and training goes on from its last checkpoint.
set -eu
: "${MODEL:?expected a model, such as MODEL=models/base}" "${TEXT:?expected text, such as TEXT=danish/}" "${SOURCE:?expected text of the language that the model knows, such as SOURCE=english/}"
here=$(dirname "$0")
anneal=${ANNEAL:-npx anneal}
out=${OUT:-runs/language}
replay=${REPLAY:-0.25}
language=${LANGUAGE:-da}
new=${NEW_TOKENS:-0}
case $new in
  *[!0-9]*) echo "error: NEW_TOKENS: expected a whole number such as 4000, got '$new'" >&2 && exit 2 ;;
esac
share=$(awk -v r="$replay" 'BEGIN { if (r !~ /^(0|0?\.[0-9]+)$/) exit 1; print 1 - r }') || {
  echo "error: REPLAY: expected a share such as 0.25, from 0 to below 1, got '$replay'" >&2
  exit 2
}

# What cannot be read is found before hours of work: nothing is trained here, and no folder made, so that one with checkpoints is let be.
if [ ! -e "$out/adapted/config.json" ]; then
  $anneal train "$here/continued-pretraining.yaml" --model_name_or_path "$MODEL" --dataset "$SOURCE" --interleave_probs 1 \
    --output_dir "$out/tried" ${TRAIN:-} --dry-run >/dev/null
  [ -z "${CHATS:-}" ] ||
    $anneal train "$here/instructions.yaml" --model_name_or_path "$MODEL" --dataset "$CHATS" --output_dir "$out/tried" ${TUNE:-} --dry-run >/dev/null
  [ -z "${TASKS:-}" ] || $anneal eval --model "$MODEL" --tasks "$TASKS" ${EVAL_DATA:+--data "$EVAL_DATA"} --limit 1
fi

# A curation that is done says so in seconds, and refuses other text.
$anneal curate "$TEXT" --out "$out/text" --lang "$language" ${CURATE:-}

base=$MODEL
if [ "$new" -gt 0 ]; then
  base=$out/base-$new
  [ -e "$base/config.json" ] || $anneal tokenizer extend "$out/text/data" --model "$MODEL" --new-tokens "$new" --out "$base"
fi
$anneal tokenizer fertility "$base" --text "$language=$out/text/data" --text "$SOURCE"

set -- --dataset "$out/text/data" --dataset "$SOURCE" --interleave_probs "$share,$replay"
[ "$share" != 1 ] || set -- --dataset "$out/text/data" --interleave_probs 1
$anneal train "$here/continued-pretraining.yaml" --model_name_or_path "$base" "$@" --output_dir "$out/adapted" \
  --resume_from_checkpoint auto ${TRAIN:-}

last=$out/adapted
if [ -n "${CHATS:-}" ]; then
  last=$out/instruct
  $anneal train "$here/instructions.yaml" --model_name_or_path "$out/adapted" --dataset "$CHATS" --output_dir "$last" \
    --resume_from_checkpoint auto ${TUNE:-}
fi

if [ -n "${TASKS:-}" ]; then
  $anneal dynamics "$out/adapted" --tasks "$TASKS" ${EVAL_DATA:+--data "$EVAL_DATA"}
  $anneal eval --model "$last" --tasks "$TASKS" ${EVAL_DATA:+--data "$EVAL_DATA"} --output-path "$out/eval"
else
  $anneal dynamics "$out/adapted"
fi
echo "→ $last; pages: $out/text/report.html, $out/adapted/training.html, $out/adapted/dynamics/dynamics.html"
