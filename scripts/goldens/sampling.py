"""Probabilities that Transformers' logits processors leave for one row of logits → test/fixtures/infer/sampling.json.

Run with a Python that has torch and transformers:  python scripts/goldens/sampling.py
"""

import json
from pathlib import Path

import torch
from transformers.generation.logits_process import (
    LogitsProcessorList,
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

OUT = Path(__file__).parents[2] / "test/fixtures/infer/sampling.json"

CASES = [
    {},
    {"temperature": 0.7},
    {"topK": 3},
    {"topP": 0.9},
    {"minP": 0.1},
    {"repetitionPenalty": 1.3},
    {"temperature": 1.5, "topK": 8, "topP": 0.8},
    {"temperature": 0.5, "topP": 0.95, "minP": 0.02},
    {"temperature": 1.2, "topK": 10, "topP": 0.9, "minP": 0.05, "repetitionPenalty": 1.2},
    {"topP": 0.001},
    {"topK": 1},
]


def processors(case):
    """In the order of GenerationMixin._get_logits_processor."""
    steps = LogitsProcessorList()
    if "repetitionPenalty" in case:
        steps.append(RepetitionPenaltyLogitsProcessor(case["repetitionPenalty"]))
    if "temperature" in case:
        steps.append(TemperatureLogitsWarper(case["temperature"]))
    if "topK" in case:
        steps.append(TopKLogitsWarper(case["topK"]))
    if "topP" in case:
        steps.append(TopPLogitsWarper(case["topP"]))
    if "minP" in case:
        steps.append(MinPLogitsWarper(case["minP"]))
    return steps


def main():
    torch.manual_seed(0)
    logits = (torch.randn(1, 24) * 2).round(decimals=3)
    prompt = [3, 5, 5, 11, 17]
    rows = []
    for case in CASES:
        scores = processors(case)(torch.tensor([prompt]), logits.clone())
        rows.append({"options": case, "probabilities": [round(p, 6) for p in scores.softmax(-1)[0].tolist()]})
    result = {"logits": [round(x, 3) for x in logits[0].tolist()], "prompt_ids": prompt, "cases": rows}
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
