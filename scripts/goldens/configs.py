"""Makes test/fixtures/configs.json: config.json as Transformers' own classes write it with nothing set, short and in full, and with
every optional key null, and that of wrappers around a language model, with the sizes that the classes read from each.

    pip install transformers==5.18.0
    python scripts/goldens/configs.py
"""

import json
from pathlib import Path

from transformers import CONFIG_MAPPING

OUT = Path(__file__).resolve().parents[2] / "test" / "fixtures" / "configs.json"
FAMILIES = [
    "llama", "mistral", "qwen2", "qwen3", "gemma", "gemma2", "gemma3_text", "phi3", "olmo2", "smollm3", "gpt_neox", "gpt2",
]
WRAPPERS = {
    "gemma3": {}, "mistral3": {}, "llava": {}, "llava_next": {}, "llava_onevision": {}, "vipllava": {}, "idefics2": {},
    "idefics3": {}, "smolvlm": {}, "internvl": {}, "got_ocr2": {}, "perception_lm": {},
    # As in a published file: a few sizes, the rest left to the class.
    "gemma3 4B": {"hidden_size": 2560, "intermediate_size": 10240, "num_hidden_layers": 34, "sliding_window": 1024},
}


def sizes(config):
    heads = config.num_attention_heads
    return {
        "vocab_size": config.vocab_size,
        "hidden_size": config.hidden_size,
        "layers": config.num_hidden_layers,
        "heads": heads,
        "key_value_heads": getattr(config, "num_key_value_heads", None) or heads,
        "head_dim": getattr(config, "head_dim", None) or config.hidden_size // heads,
        "windows": [
            getattr(config, "sliding_window", None) if kind == "sliding_attention" else None
            for kind in getattr(config, "layer_types", None) or []
        ]
        or None,
    }


def with_nulls(kind, written):
    """Every key that the class takes null for, null; without a window the windowed layers of Gemma do not run."""
    result = dict(written)
    for key, value in written.items():
        if value is None or isinstance(value, dict) or (key == "sliding_window" and kind.startswith("gemma")):
            continue
        try:
            CONFIG_MAPPING[kind](**{**result, key: None})
        except Exception:  # a key that must have a value
            continue
        result[key] = None
    return {**result, "model_type": kind}


def main():
    cases = []
    for kind in FAMILIES:
        config = CONFIG_MAPPING[kind]()
        short = config.to_diff_dict()
        full = config.to_dict()
        nulls = with_nulls(kind, short)
        for name, written in (("short", short), ("full", full), ("nulls", nulls)):
            read = CONFIG_MAPPING[kind](**{key: value for key, value in written.items() if key != "model_type"})
            # An instruction to a loader, which some programs save.
            written = {**written, "dtype": "auto"} if name == "full" else written
            cases.append({"name": f"{kind} {name}", "json": json.loads(json.dumps(written)), "sizes": sizes(read)})
    for name, text in WRAPPERS.items():
        kind = name.split()[0]
        config = CONFIG_MAPPING[kind](text_config=text) if text else CONFIG_MAPPING[kind]()
        written = json.loads(config.to_json_string())
        # What the other parts say is not read.
        written = {key: value for key, value in written.items() if not isinstance(value, dict) or key == "text_config"}
        cases.append({"name": name, "json": written, "sizes": {**sizes(config.text_config), "text": config.text_config.model_type}})
        published = {"model_type": kind, "text_config": {**text, "model_type": config.text_config.model_type}}
        if text:
            cases.append({"name": f"{name} published", "json": published, "sizes": {**sizes(config.text_config), "text": config.text_config.model_type}})
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    OUT.write_text(f"[\n{lines}\n]\n")
    print(len(cases), "configurations,", OUT.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
