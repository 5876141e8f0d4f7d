"""Goldens of lm-evaluation-harness 0.4.13 for how it puts questions and counts answers: test/fixtures/evaluation/prompts.

A model that answers by arithmetic on characters is asked the tasks of that folder, as text and as chats. Run in an environment with
lm_eval (modules that it imports and that are not needed here may be empty stubs):

    python scripts/goldens/evaluation.py
"""

import json
import os
import sys
import types
from collections import Counter

for name in ["pytablewriter", "evaluate", "sqlitedict", "word2number", "rouge_score"]:
    try:
        __import__(name)
    except ImportError:
        stub = types.ModuleType(name)
        stub.SqliteDict = dict
        stub.rouge_scorer = stub.scoring = types.SimpleNamespace()
        sys.modules[name] = stub

os.environ["HF_DATASETS_OFFLINE"] = os.environ["DISABLE_MULTIPROC"] = "1"
from lm_eval import evaluator  # noqa: E402
from lm_eval.api.model import LM  # noqa: E402
from lm_eval.tasks import TaskManager  # noqa: E402

folder = os.path.join(os.path.dirname(__file__), "../../test/fixtures/evaluation/prompts")
os.chdir(folder)


def number(*texts):
    return sum((i % 7 + 1) * ord(c) for i, c in enumerate("|".join(texts)))


class Arithmetic(LM):
    def __init__(self):
        super().__init__()
        self.calls = Counter()

    def loglikelihood(self, requests):
        found = []
        for request in requests:
            s = number(*request.args)
            found.append((-(s % 97) / 8 - 0.5, s % 3 == 0))
        return found

    def loglikelihood_rolling(self, requests):
        return [-(number(r.args[0]) % 997) / 4 for r in requests]

    def generate_until(self, requests):
        found = []
        for request in requests:
            context = request.args[0]
            s = number(context) + self.calls[context]
            self.calls[context] += 1
            words = context.split()
            found.append(" " + words[-1 - s % min(5, len(words))])
        return found

    tokenizer_name = "arithmetic"

    def chat_template(self, chat_template=False):
        return "arithmetic"

    def apply_chat_template(self, chat_history, add_generation_prompt=True):
        text = "".join(f"<{m['role']}>{m['content']}</{m['role']}>" for m in chat_history)
        if add_generation_prompt:
            return text + "<assistant>"
        return text[: -len("</assistant>")]


names = ["drawn", "itself", "inputs", "votes", "begun", "said"]
ways = {
    "text": {},
    "system": {"system_instruction": "You know."},
    "chat": {"apply_chat_template": True, "fewshot_as_multiturn": False, "system_instruction": "You know."},
    "turns": {"apply_chat_template": True},
}
goldens = {}
for way, options in ways.items():
    goldens[way] = {}
    for name in names:
        manager = TaskManager(include_path=os.getcwd(), include_defaults=False)
        results = evaluator.simple_evaluate(
            model=Arithmetic(), tasks=[name], task_manager=manager, bootstrap_iters=200, log_samples=True, **options
        )
        samples = [
            {k: s[k] for k in ["doc_id", "arguments", "filtered_resps", "filter", "target", *s["metrics"]]}
            for s in results["samples"][name]
        ]
        goldens[way][name] = {"results": results["results"][name], "samples": samples}


def plain(value):
    if hasattr(value, "tolist"):
        return value.tolist()
    return str(value)


with open("expected.json", "w") as file:
    json.dump(goldens, file, ensure_ascii=False, separators=(",", ":"), default=plain)
    file.write("\n")
