"""Makes test/fixtures/text/side-files.json: a small tokenizer.json beside many combinations of tokenizer_config.json,
special_tokens_map.json and added_tokens.json, with the added tokens, roles and ids that Transformers' fast tokenizer makes
of each.

    pip install transformers==5.18.0
    python scripts/goldens/side_files.py
"""

import json
import random
import tempfile
from pathlib import Path

from transformers import GPT2Tokenizer, PreTrainedTokenizerFast

TEXTS = Path(__file__).resolve().parents[2] / "test" / "fixtures" / "text"
BASE = json.loads((TEXTS / "tokenizer-gpt2.json").read_text())["tokenizer"]
SIZE = len(BASE["model"]["vocab"])
# In no vocabulary; of the model's vocabulary; of tokenizer.json's added tokens.
NEW = ["<|im_start|>", "<|im_end|>", "<think>", "[PAD]", "<mark>", "<a b>", "<s>", "ünï"]
OLD = [" the", "the", "ing"]
TEXT = "".join(f"<|im_start|>user the {token} x{token}ing <|endoftext|>" for token in [*NEW, *OLD])
ROLES = ["bos_token", "eos_token", "pad_token", "unk_token", "mask_token"]


def entry(rng, content):
    """An added token with flags of which any may be left out."""
    flags = {name: rng.random() < 0.4 for name in ("single_word", "lstrip", "rstrip", "normalized", "special")}
    return {"content": content, **{name: value for name, value in flags.items() if rng.random() < 0.8}}


def some(rng, most):
    return rng.sample([*NEW, *NEW, *OLD, "<|endoftext|>"], rng.randint(0, most))


def role(rng, content):
    kind = rng.random()
    if kind < 0.5:
        return content
    return {**({"__type": "AddedToken"} if kind < 0.9 else {}), **entry(rng, content)}


def combination(rng):
    files = {}
    config = {}
    if rng.random() < 0.5:
        added = {}
        for content in dict.fromkeys(some(rng, 5)):
            known = BASE["model"]["vocab"].get(content)
            index = SIZE + len(added) + (rng.random() < 0.2) * 3 if known is None else known
            added[str(index)] = entry(rng, content)
        config["added_tokens_decoder"] = added
    for name in ROLES:
        if rng.random() < 0.35:
            value = role(rng, rng.choice([*NEW, "<|endoftext|>"]))
            # Without its type a role in this file is an object that Transformers refuses.
            config[name] = {"__type": "AddedToken", **value} if isinstance(value, dict) else value
        elif rng.random() < 0.1:
            config[name] = None
    for name in ("additional_special_tokens", "extra_special_tokens"):
        if rng.random() < 0.35:
            tokens = some(rng, 3)
            config[name] = [
                token if rng.random() < 0.7 else {"__type": "AddedToken", **entry(rng, token)} for token in tokens
            ]
    if rng.random() < 0.15:
        config["extra_special_tokens"] = {"image_token": "<mark>", "boi_token": "<a b>"}
    if rng.random() < 0.15:
        config["image_token"] = "<mark>"
    if rng.random() < 0.8:
        files["tokenizer_config.json"] = config
    if rng.random() < 0.5:
        specials = {name: role(rng, rng.choice([*NEW, "<|endoftext|>"])) for name in ROLES if rng.random() < 0.4}
        for value in specials.values():
            if isinstance(value, dict):
                value.pop("__type", None)
        if rng.random() < 0.5:
            specials["additional_special_tokens"] = some(rng, 3)
        if rng.random() < 0.3:
            specials["extra_special_tokens"] = [
                token if rng.random() < 0.6 else entry(rng, token) for token in some(rng, 3)
            ]
        for value in specials.get("extra_special_tokens", []):
            if isinstance(value, dict):
                value.pop("special", None)
        files["special_tokens_map.json"] = specials
    if rng.random() < 0.4:
        files["added_tokens.json"] = {
            token: SIZE + index for index, token in enumerate(dict.fromkeys(some(rng, 4)))
        }
    return files


def outcome(files, kind=PreTrainedTokenizerFast, base=BASE):
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "tokenizer.json").write_text(json.dumps(base))
        for name, value in files.items():
            Path(folder, name).write_text(json.dumps(value))
        tokenizer = kind.from_pretrained(folder)
    added = json.loads(tokenizer.backend_tokenizer.to_str())["added_tokens"]
    roles = {name[: -len("_token")]: getattr(tokenizer, name) for name in ROLES[:4]}
    return {
        "files": files,
        # Without the one that tokenizer.json has; flags in the order single_word, lstrip, rstrip, normalized, special.
        "added": [
            [token["id"], token["content"], *(int(token[flag]) for flag in ("single_word", "lstrip", "rstrip", "normalized", "special"))]
            for token in added
        ],
        "roles": {name: value for name, value in roles.items() if value is not None},
        "ids": tokenizer.encode(TEXT, add_special_tokens=False),
    }


def main():
    rng = random.Random(5)
    cases, refused = [], 0
    while len(cases) < 120:
        files = combination(rng)
        try:
            cases.append(outcome(files))
        except (TypeError, ValueError, AttributeError) as error:
            refused += 1
            print("refused:", str(error)[:90])
    prefix = []
    for add in (None, False, True):
        for stored in (False, True):
            base = json.loads(json.dumps(BASE))
            base["pre_tokenizer"]["add_prefix_space"] = stored
            config = {"tokenizer_class": "GPT2Tokenizer", **({} if add is None else {"add_prefix_space": add})}
            case = outcome({"tokenizer_config.json": config}, GPT2Tokenizer, base)
            prefix.append({"config": config, "stored": stored, "ids": case["ids"]})
    value = {"base": "tokenizer-gpt2.json", "text": TEXT, "cases": cases, "prefix": prefix}
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"))
    (TEXTS / "side-files.json").write_text(text + "\n")
    print(len(cases), "cases,", refused, "refused,", len(text), "bytes")


if __name__ == "__main__":
    main()
