"""Makes test/fixtures/rope-frequencies.json: inverse frequencies of every rotary variant from Transformers' own functions.

    python scripts/goldens/rope.py                    # Transformers 5.18, PyTorch 2.13; float32 on a CPU

Settings are those of published models where one has the variant (Llama 3.1, Qwen 2.5, Pythia), head dimensions included.
"""

import json
from pathlib import Path

import torch
import transformers
from transformers import AutoConfig
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS
from transformers.models.gpt_neox.modeling_gpt_neox import GPTNeoXRotaryEmbedding

OUT = Path(__file__).resolve().parents[2] / "test" / "fixtures" / "rope-frequencies.json"
SIZES = dict(vocab_size=64, hidden_size=512, intermediate_size=64, num_hidden_layers=1, num_attention_heads=4, num_key_value_heads=4)


def factors(count, step):
    return [1.0 + step * i for i in range(count)]


# (name, model_type, settings, rotary parameters, sequence lengths)
CASES = [
    ("default", "llama", {}, dict(rope_type="default", rope_theta=1e4), [8]),
    ("default with theta 1e6", "llama", {}, dict(rope_type="default", rope_theta=1e6), [8]),
    ("pythia, a quarter rotated", "gpt_neox", {}, dict(rope_type="default", rope_theta=1e4, partial_rotary_factor=0.25), [8]),
    ("linear", "llama", {}, dict(rope_type="linear", rope_theta=1e4, factor=4.0), [8]),
    ("dynamic", "llama", dict(max_position_embeddings=2048), dict(rope_type="dynamic", rope_theta=1e4, factor=2.0), [8, 2048, 2049, 5000]),
    ("llama 3.1", "llama", dict(max_position_embeddings=131072), dict(rope_type="llama3", rope_theta=5e5, factor=8.0,
     low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=8192), [8]),
    ("llama 3.2, head 64", "llama", dict(max_position_embeddings=131072, head_dim=64), dict(rope_type="llama3", rope_theta=5e5,
     factor=32.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=8192), [8]),
    ("yarn as in qwen 2.5", "qwen2", dict(max_position_embeddings=32768), dict(rope_type="yarn", rope_theta=1e6, factor=4.0,
     original_max_position_embeddings=32768), [8]),
    ("yarn with mscale", "llama", dict(max_position_embeddings=163840), dict(rope_type="yarn", rope_theta=1e4, factor=40.0,
     original_max_position_embeddings=4096, mscale=0.707, mscale_all_dim=1.0, beta_fast=32, beta_slow=1), [8]),
    ("yarn, attention factor given, not truncated", "llama", dict(max_position_embeddings=131072), dict(rope_type="yarn",
     rope_theta=150000.0, factor=32.0, original_max_position_embeddings=4096, attention_factor=1.25, truncate=False), [8]),
    ("longrope", "llama", dict(max_position_embeddings=131072), dict(rope_type="longrope", rope_theta=1e4,
     short_factor=factors(64, 0.01), long_factor=factors(64, 0.75), original_max_position_embeddings=4096), [8, 4096, 4097]),
    ("longrope as in phi 4 mini, three quarters rotated", "phi3", dict(max_position_embeddings=131072,
     original_max_position_embeddings=4096), dict(rope_type="longrope", rope_theta=1e4, partial_rotary_factor=0.75,
     short_factor=factors(48, 0.0), long_factor=factors(48, 1.0)), [4096, 4097]),
    ("longrope with factor", "llama", dict(max_position_embeddings=4096), dict(rope_type="longrope", rope_theta=1e4, factor=16.0,
     short_factor=factors(64, 0.01), long_factor=factors(64, 0.75), original_max_position_embeddings=4096), [8]),
]


def frequencies(config, length):
    rope_type = config.rope_parameters["rope_type"]
    if rope_type == "default":
        return GPTNeoXRotaryEmbedding.compute_default_rope_parameters(config)
    return ROPE_INIT_FUNCTIONS[rope_type](config, torch.device("cpu"), seq_len=length)


if __name__ == "__main__":
    rows = []
    for name, model_type, settings, parameters, lengths in CASES:
        sizes = SIZES if model_type != "gpt_neox" else {k: v for k, v in SIZES.items() if k != "num_key_value_heads"}
        config = AutoConfig.for_model(model_type, **sizes | settings, rope_parameters=dict(parameters))
        written = {k: v for k, v in (sizes | settings).items()} | dict(model_type=model_type, rope_parameters=parameters)
        expected = []
        for length in lengths:
            inverse, attention_factor = frequencies(config, length)
            expected.append(dict(length=length, inverse_frequencies=inverse.tolist(), attention_factor=float(attention_factor)))
        rows.append(dict(name=name, config=written, expected=expected))
    made_with = f"transformers {transformers.__version__}, torch {torch.__version__.split('+')[0]}, float32"
    OUT.write_text(json.dumps(dict(made_with=made_with, cases=rows)) + "\n")
    print(f"{OUT}: {len(rows)} cases, {OUT.stat().st_size // 1024} KiB")
