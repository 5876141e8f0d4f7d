"""Hidden states of tiny models, as Transformers numbers them → test/fixtures/infer/hidden-states.json.

Run with a Python that has torch and transformers:  python scripts/goldens/hidden_states.py
"""

import json
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM

FIXTURES = Path(__file__).parents[2] / "test/fixtures"
# A scaled embedding, learned positions, a norm behind each branch, and the plain kind.
NAMES = ["llama", "gemma2", "gpt2", "olmo2"]
IDS = [1, 17, 60, 5, 42, 17, 8]

golden = {"ids": IDS, "models": {}}
for name in NAMES:
    model = AutoModelForCausalLM.from_pretrained(FIXTURES / "models" / name, dtype=torch.float32, attn_implementation="eager")
    with torch.no_grad():
        states = model(input_ids=torch.tensor([IDS]), output_hidden_states=True).hidden_states
    # The last token's vector and the mean, of every layer; the first eight numbers tell them apart.
    golden["models"][name] = {
        "last": [[round(x, 6) for x in state[0, -1, :8].tolist()] for state in states],
        "mean": [[round(x, 6) for x in state[0].mean(0)[:8].tolist()] for state in states],
    }
(FIXTURES / "infer/hidden-states.json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")
