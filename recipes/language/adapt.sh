#!/bin/sh
# From text of a language to a model that has learnt it: curate, extend the vocabulary, go on pre-training with replay, tune, evaluate.
#
#   MODEL=models/base TEXT=danish/ SOURCE=english/ CHATS=chats.jsonl recipes/language/adapt.sh
#
# MODEL   directory or name on the hub of a model of another language
# TEXT    files or a folder of the language to learn        LANGUAGE    its code (da)
# SOURCE  text of the language that the model knows          REPLAY      its share of what is learnt (0.25)
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

[ -e "$out/text/summary.json" ] || $anneal curate "$TEXT" --out "$out/text" --lang "$language" ${CURATE:-}

base=$MODEL
if [ "${NEW_TOKENS:-0}" -gt 0 ]; then
  base=$out/base
  [ -e "$base/config.json" ] ||
    $anneal tokenizer extend "$out/text/data" --model "$MODEL" --new-tokens "$NEW_TOKENS" --out "$base"
fi
$anneal tokenizer fertility "$base" --text "$language=$out/text/data" --text "$SOURCE"

share=$(awk "BEGIN { print 1 - $replay }")
$anneal train "$here/continued-pretraining.yaml" --model_name_or_path "$base" --dataset "$out/text/data" --dataset "$SOURCE" \
  --interleave_probs "$share,$replay" --output_dir "$out/adapted" --resume_from_checkpoint auto ${TRAIN:-}

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
