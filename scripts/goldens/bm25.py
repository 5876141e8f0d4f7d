"""Scores of BM25 by others: rank-bm25's BM25Okapi, BM25Plus and BM25L, and bm25s's lucene. Writes test/fixtures/retrieve/bm25.json.

Run: python scripts/goldens/bm25.py RANK_BM25.PY   (rank_bm25.py of github.com/dorianbrown/rank_bm25 at 47aa3dd; numpy; bm25s)
Words are cut here by white space, so that tokenisation does not matter. Documents are random with a Zipf-like choice of words, some of which
are in more than half of them (negative idf), one is empty, one is long.
"""

import importlib.util
import json
import random
import sys
from pathlib import Path

import bm25s
import numpy as np

spec = importlib.util.spec_from_file_location("rank_bm25", sys.argv[1])
rank_bm25 = importlib.util.module_from_spec(spec)
spec.loader.exec_module(rank_bm25)

rng = random.Random(17)
words = [f"w{i}" for i in range(40)]
weights = [1 / (i + 1) for i in range(40)]
sizes = [0, 1, 2, 120] + [rng.randint(3, 25) for _ in range(26)]
documents = [rng.choices(words, weights, k=size) for size in sizes]
queries = [["w0"], ["w5", "w9"], ["w0", "w0", "w3"], ["w39", "absent"], ["absent"], ["w1", "w2", "w7", "w30"]]

out = {"documents": [" ".join(d) for d in documents], "queries": [" ".join(q) for q in queries], "scores": {}}
for name, cls in {"okapi": rank_bm25.BM25Okapi, "plus": rank_bm25.BM25Plus, "l": rank_bm25.BM25L}.items():
    model = cls(documents)
    out["scores"][name] = [model.get_scores(q).tolist() for q in queries]

# bm25s counts the empty document in N and in the mean length; Lucene does not. It is left out here, and has score 0.
model = bm25s.BM25(method="lucene", k1=1.2, b=0.75, dtype="float64")
model.index([d for d in documents[1:]], show_progress=False)
out["scores"]["lucene"] = [
    [0.0] + model.get_scores([t for t in q if t != "absent"]).tolist() if q != ["absent"] else [0.0] * len(documents)
    for q in queries
]
out["made_with"] = {"rank_bm25": "47aa3dd", "bm25s": bm25s.__version__, "numpy": np.__version__}
target = Path("test/fixtures/retrieve/bm25.json")
target.parent.mkdir(parents=True, exist_ok=True)
target.write_text(json.dumps(out) + "\n")
