"""Makes test/fixtures/encoders/bert-score.json: BERTScore written by hand after the paper and the authors' program, on the tiny encoder.

    python scripts/goldens/bert_score.py     # Transformers 5.18, PyTorch 2.13; float32 on a CPU
"""

import json
import math
from pathlib import Path

import torch
from transformers import BertModel

HERE = Path(__file__).resolve().parents[2] / "test" / "fixtures" / "encoders"
model = BertModel.from_pretrained(HERE / "bert-model", attn_implementation="eager").eval()
CLS, SEP = 2, 3
CANDIDATES = [[5, 6, 7, 8], [10, 11], [20, 21, 22, 23, 24], [40], []]
REFERENCES = [[5, 6, 9, 8, 7], [10, 11], [60, 61, 62], [40, 41, 42, 43, 44, 5], [5]]


@torch.no_grad()
def states(ids, layer):
    hidden = model(input_ids=torch.tensor([[CLS, *ids, SEP]]), output_hidden_states=True).hidden_states[layer][0]
    return torch.nn.functional.normalize(hidden, dim=-1)


def score(candidate, reference, layer, weight):
    if not candidate or not reference:
        return [0.0, 0.0, 0.0]
    sim = states(candidate, layer) @ states(reference, layer).T
    mean = lambda best, ids: sum(weight(i) * b for i, b in zip(ids, best[1:-1].tolist())) / sum(map(weight, ids))
    p, r = mean(sim.max(1).values, candidate), mean(sim.max(0).values, reference)
    return [p, r, 2 * p * r / (p + r)]


def idf(i):
    return math.log((len(REFERENCES) + 1) / (sum(i in reference for reference in REFERENCES) + 1))


cases = [dict(layer=layer, idf=uses, scores=[score(c, r, layer, idf if uses else lambda i: 1.0) for c, r in zip(CANDIDATES, REFERENCES)])
         for layer in (1, 2) for uses in (False, True)]
out = dict(candidates=CANDIDATES, references=REFERENCES, cases=cases)
(HERE / "bert-score.json").write_text(json.dumps(out) + "\n")
