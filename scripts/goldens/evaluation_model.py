"""Goldens of lm-evaluation-harness 0.4.13 for what it makes of a real model's numbers: test/fixtures/evaluation/model.

A random Llama of 64 tokens of context with a tokenizer of the tests: contexts that are cut, white space at a join, tokens that span it,
pages of several windows. Run in an environment with torch, transformers and lm_eval:  python scripts/goldens/evaluation_model.py
"""

import json
import os
import sys
import types

for name in ["pytablewriter", "evaluate", "sqlitedict", "word2number", "rouge_score"]:
    try:
        __import__(name)
    except ImportError:
        stub = types.ModuleType(name)
        stub.SqliteDict = dict
        sys.modules[name] = stub

import torch  # noqa: E402
from lm_eval.api.instance import Instance  # noqa: E402
from lm_eval.models.huggingface import HFLM  # noqa: E402
from transformers import LlamaConfig, LlamaForCausalLM  # noqa: E402

fixtures = os.path.join(os.path.dirname(__file__), "../../test/fixtures")
folder = os.path.join(fixtures, "evaluation/model")
os.makedirs(folder, exist_ok=True)

torch.manual_seed(9)
config = LlamaConfig(
    vocab_size=720, hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1,
    max_position_embeddings=64, bos_token_id=1, eos_token_id=2, initializer_range=0.3, tie_word_embeddings=True,
)
LlamaForCausalLM(config).float().save_pretrained(folder)
with open(os.path.join(fixtures, "text/tokenizer-llama2-metaspace.json")) as file:
    tokenizer = json.load(file)["tokenizer"]
with open(os.path.join(folder, "tokenizer.json"), "w") as file:
    json.dump(tokenizer, file, ensure_ascii=False)
with open(os.path.join(folder, "tokenizer_config.json"), "w") as file:
    json.dump({"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}, file)

pairs = [
    ["The cat", " sat on the mat"],
    ["The cat ", "sat on the mat"],
    ["The cat\n\n", "sat"],
    ["The c", "at sat"],
    ["to th", "e man"],
    ["", "The cat"],
    ["", "<s>The cat"],
    ["Hvad hedder", " “færdig”"],
    ["a", " b"],
    ["A long story. " * 20, " And then it ended."],
    ["A long story. " * 20, " x"],
    ["Q: yes or no?\nA:", " yes"],
    ["Q: yes or no?\nA:", " no"],
]
# No page repeats itself: windows of the same tokens of which different parts are judged are mixed up there.
story = " ".join(f"The {a} cat {b} upon the mat." for a, b in zip("old red big sad new odd".split(), "sat lay ran hid fell slept".split()))
pages = ["Short.", story + " Once upon a time there was a small dog, and so on.", "æ ø å, " * 3 + "and hello world", " leading and  double spaces "]
lm = HFLM(pretrained=folder, dtype="float32", device="cpu", batch_size=4)


def instances(kind, rows):
    return [Instance(request_type=kind, doc={}, arguments=tuple(row), idx=i) for i, row in enumerate(rows)]


options = {"until": ["\n", "."], "do_sample": False, "max_gen_toks": 12}
prompts = ["The cat", "Once upon a time. " * 20, "x"]
expected = {
    "pairs": [[c, t, ll, greedy] for (c, t), (ll, greedy) in zip(pairs, lm.loglikelihood(instances("loglikelihood", pairs)))],
    "pages": list(zip(pages, lm.loglikelihood_rolling(instances("loglikelihood_rolling", [[p] for p in pages])))),
    "generation": options,
    "answers": list(zip(prompts, lm.generate_until(instances("generate_until", [(p, dict(options)) for p in prompts])))),
}
with open(os.path.join(folder, "expected.json"), "w") as file:
    json.dump(expected, file, ensure_ascii=False, indent=1)
    file.write("\n")
