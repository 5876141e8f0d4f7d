"""bm25s on tokens: `python bm25s_search.py TOKENS.json` ({passages, queries, k}); prints times and the scores of the k best. Tokens come ready-made."""

import json
import sys
import time

import bm25s

data = json.load(open(sys.argv[1]))
begun = time.perf_counter()
model = bm25s.BM25(method="lucene", k1=1.2, b=0.75, dtype="float64")
model.index(data["passages"], show_progress=False)
seconds = time.perf_counter() - begun
scores, times = [], []
for query in data["queries"]:
    start = time.perf_counter()
    _, found = model.retrieve([query], k=data["k"], show_progress=False, n_threads=0)
    times.append((time.perf_counter() - start) * 1000)
    scores.append(found[0].tolist())
times.sort()
print(json.dumps({"version": bm25s.__version__, "seconds": seconds, "medianMs": times[len(times) // 2], "p95Ms": times[int(0.95 * len(times))], "scores": scores}))
