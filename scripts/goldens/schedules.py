"""Writes test/fixtures/training/schedules.json: the learning rate factors of Transformers' schedules, step by step.

    python scripts/goldens/schedules.py               # Transformers 5.18, PyTorch 2.13

A factor is what the base rate is multiplied by at an optimizer step, counted from 0.
"""

import json
from pathlib import Path

import torch
from transformers import get_scheduler

TARGET = Path(__file__).resolve().parents[2] / "test" / "fixtures" / "training" / "schedules.json"
RATE = 0.001
CASES = [
    dict(name="constant", steps=12, warmup=0, kwargs={}),
    dict(name="constant_with_warmup", steps=12, warmup=5, kwargs={}),
    dict(name="linear", steps=20, warmup=0, kwargs={}),
    dict(name="linear", steps=20, warmup=6, kwargs={}),
    dict(name="cosine", steps=20, warmup=0, kwargs={}),
    dict(name="cosine", steps=20, warmup=6, kwargs={}),
    dict(name="cosine_with_min_lr", steps=20, warmup=4, kwargs={"min_lr_rate": 0.1}),
    dict(name="cosine_with_min_lr", steps=20, warmup=4, kwargs={"min_lr": 0.0002}),
    dict(name="polynomial", steps=20, warmup=3, kwargs={}),
    dict(name="polynomial", steps=20, warmup=3, kwargs={"power": 2.0}),
    dict(name="warmup_stable_decay", steps=24, warmup=4, kwargs={"num_decay_steps": 6}),
    dict(name="warmup_stable_decay", steps=24, warmup=4, kwargs={"num_decay_steps": 6, "min_lr_ratio": 0.25}),
    dict(name="linear", steps=4, warmup=8, kwargs={}),
]


def factors(case):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=RATE)
    scheduler = get_scheduler(case["name"], optimizer, case["warmup"], case["steps"], dict(case["kwargs"]))
    values = []
    for _ in range(case["steps"]):
        values.append(scheduler.get_last_lr()[0] / RATE)
        optimizer.step()
        scheduler.step()
    return values


if __name__ == "__main__":
    cases = [{"learning_rate": RATE, **case, "factors": factors(case)} for case in CASES]
    TARGET.write_text("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n")
