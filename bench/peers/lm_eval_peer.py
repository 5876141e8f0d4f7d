"""lm-evaluation-harness with its `hf` backend on one task file: lm_eval_peer.py MODEL TASK.yaml BATCH_SIZE THREADS --interactive.

Documents a second of a whole evaluation of a model that is loaded already, one JSON object per line of standard input.
"""

import json
import logging
import os
import sys
import time

import torch
import yaml

os.environ["HF_HUB_OFFLINE"] = "1"
logging.disable(logging.WARNING)
model, task, batch_size, threads = sys.argv[1:5]
torch.set_num_threads(int(threads))

import lm_eval  # noqa: E402
from lm_eval.models.huggingface import HFLM  # noqa: E402

lm = HFLM(pretrained=model, dtype="float32", device="cpu", batch_size=int(batch_size))
config = yaml.safe_load(open(task))
print(json.dumps(dict(ready=True)), flush=True)
for _ in sys.stdin:
    begun = time.perf_counter()
    found = lm_eval.simple_evaluate(model=lm, tasks=[config], bootstrap_iters=0)
    seconds = time.perf_counter() - begun
    name = config["task"]
    count = found["n-samples"][name]["effective"]
    print(json.dumps(dict(documents_per_second=count / seconds, scores=found["results"][name])), flush=True)
