"""Checks test/fixtures/training against Transformers and PEFT: everything expected is computed again from the stored inputs.

    python scripts/goldens/training.py                # Transformers 5.18, PEFT 0.21, PyTorch 2.13; float32 on a CPU

Inputs are models/llama, the adapters, the batches and the ids in the files; expected are the losses, gradient norms and
logits beside them. Prints the largest difference of each file and fails above 2e-5.
"""

import json
import math
from pathlib import Path

import torch
from peft import PeftModel
from torch.nn.functional import logsigmoid
from transformers import AutoModelForCausalLM

FIXTURES = Path(__file__).resolve().parents[2] / "test" / "fixtures"


def base():
    return AutoModelForCausalLM.from_pretrained(FIXTURES / "models" / "llama", attn_implementation="eager").eval()


def difference(got, expected):
    return (torch.as_tensor(got, dtype=torch.float64) - torch.tensor(expected, dtype=torch.float64)).abs().max().item()


def trajectory(expected):
    """AdamW with the stored rates; decay on matrices only; the loss of a step is the mean over its supervised tokens."""
    model, settings = base(), expected["optimizer"]
    groups = [dict(params=[p for p in model.parameters() if p.dim() > 1], weight_decay=settings["weight_decay"]),
              dict(params=[p for p in model.parameters() if p.dim() < 2], weight_decay=0.0)]
    optimizer = torch.optim.AdamW(groups, lr=settings["lr"], betas=settings["betas"], eps=settings["eps"])
    losses, norms = [], []
    for micro_batches, rate in zip(expected["batches"], expected["schedule"]["lr"]):
        for group in optimizer.param_groups:
            group["lr"] = rate
        total = 0.0
        for batch in micro_batches:
            ids = torch.tensor(batch)
            loss = model(input_ids=ids, labels=ids).loss / len(micro_batches)
            loss.backward()
            total += loss.item()
        norms.append(torch.nn.utils.clip_grad_norm_(model.parameters(), expected["max_grad_norm"]).item())
        losses.append(total)
        optimizer.step()
        optimizer.zero_grad()
    with torch.no_grad():
        logits = model(input_ids=torch.tensor(expected["probe_ids"])).logits[:, -1]
    return max(difference(losses, expected["loss"]), difference(norms, expected["grad_norm"]),
               difference(logits, expected["final_logits_last"]))


@torch.no_grad()
def adapter(folder, expected):
    model = PeftModel.from_pretrained(base(), folder).eval()
    logits = model(input_ids=torch.tensor(expected["input_ids"])).logits
    found = max(difference(logits[:, -1], expected["logits_last"]), difference(logits.sum(-1), expected["logits_sum_per_position"]))
    if "merged_q_proj0_sum" in expected:
        merged = model.merge_and_unload().model.layers[0].self_attn.q_proj.weight
        found = max(found, difference(merged.sum(), expected["merged_q_proj0_sum"]))
    return found


def dpo(expected):
    """Rafailov et al. 2023, Eq. 7; label smoothing as in Mitchell's cDPO; hinge of SLiC; IPO on per-token averages."""
    pairs = [torch.tensor(expected[key], dtype=torch.float64) for key in (
        "policy_chosen_logps", "policy_rejected_logps", "reference_chosen_logps", "reference_rejected_logps")]
    beta, margin = expected["beta"], (pairs[0] - pairs[1]) - (pairs[2] - pairs[3])
    losses = {
        "sigmoid": -logsigmoid(beta * margin),
        "sigmoid_label_smoothing_0_1": -0.9 * logsigmoid(beta * margin) - 0.1 * logsigmoid(-beta * margin),
        "hinge": torch.relu(1 - beta * margin),
        "ipo_given_average_logps": (margin - 1 / (2 * beta)) ** 2,
        "chosen_rewards": beta * (pairs[0] - pairs[2]),
        "rejected_rewards": beta * (pairs[1] - pairs[3]),
    }
    return max(difference(value, expected[key]) for key, value in losses.items())


if __name__ == "__main__":
    torch.set_num_threads(1)
    worst = 0.0
    for path in sorted((FIXTURES / "training").rglob("*.json")):
        if path.name == "adapter_config.json":
            continue
        expected = json.loads(path.read_text())
        if path.name == "expected.json":
            found = adapter(path.parent, expected)
        else:
            found = dpo(expected) if path.name.startswith("dpo") else trajectory(expected)
        print(f"{path.relative_to(FIXTURES)!s:50} {found:.1e}")
        worst = max(worst, found) if math.isfinite(found) else math.inf
    if worst > 2e-5:
        raise SystemExit(f"the largest difference is {worst:.1e}")
