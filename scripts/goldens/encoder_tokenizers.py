"""Makes test/fixtures/text/encoder-fuzz.json: ids that Hugging Face's Rust tokenizers give to random texts, for the WordPiece and Unigram
tokenizers that are there already (scripts/goldens/text.py) with each of their options changed.

    python scripts/goldens/encoder_tokenizers.py [TEXTS] [OUT]     # tokenizers 0.23, Transformers 5.18; 80 texts unless told otherwise
"""

import copy
import json
import random
import sys
import tempfile
from pathlib import Path

from tokenizers import Tokenizer
from transformers import BertTokenizerFast

HERE = Path(__file__).resolve().parents[2] / "test" / "fixtures" / "text"
COUNT = int(sys.argv[1]) if len(sys.argv) > 1 else 80
OUT = Path(sys.argv[2]) if len(sys.argv) > 2 else HERE / "encoder-fuzz.json"

RANGES = [(0x20, 0x7E), (0x61, 0x7A), (0xA0, 0x17F), (0x300, 0x36F), (0x370, 0x3FF), (0x400, 0x4FF), (0x590, 0x5FF), (0x600, 0x6FF),
          (0x900, 0x97F), (0xE00, 0xE7F), (0x1100, 0x11FF), (0x1E00, 0x1EFF), (0x2000, 0x206F), (0x2100, 0x214F), (0x2460, 0x24FF),
          (0x3000, 0x30FF), (0x3400, 0x34FF), (0x4E00, 0x4FFF), (0xAC00, 0xACFF), (0xF900, 0xFAFF), (0xFB00, 0xFB4F), (0xFE00, 0xFEFF),
          (0xFF00, 0xFFEF), (0x1F300, 0x1F64F), (0x20000, 0x2000F), (0xE000, 0xE00F), (0x0, 0x1F), (0x7F, 0x9F)]
WORDS = ["the", "Hamlet", "WORLD", "unaffable", "naïve", "Ærøskøbing", "straße", "ﬁne", "２０２６", "Ⅷ", "don't", "co-operate", "東京", "한국어",
         "नमस्ते", "İstanbul", "ΟΔΟΣ", "👩‍👩‍👧", "...", "##ing", "▁the", "<unk>", "[CLS]", "[MASK]", "</s>", "x" * 101, "a" * 130, "\u200b", "\u00ad", "e\u0301"]
SPACES = [" ", " ", " ", "  ", "\t", "\n", "\r\n", "\u00a0", "\u3000", "\u2028", ""]


def text(rng):
    parts = []
    for _ in range(rng.randint(0, 9)):
        if rng.random() < 0.55:
            parts.append(rng.choice(WORDS))
        else:
            low, high = rng.choice(RANGES)
            parts.append("".join(chr(rng.randint(low, high)) for _ in range(rng.randint(1, 6))))
        parts.append(rng.choice(SPACES))
    return "".join(parts)


def changed(base, changes):
    tokenizer = copy.deepcopy(json.loads((HERE / f"tokenizer-{base}.json").read_text())["tokenizer"])
    for path, value in changes.items():
        *parents, last = path.split(".")
        place = tokenizer
        for parent in parents:
            place = place[parent]
        place[last] = value
    return tokenizer


BERT = {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": True}
META = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}
CASES = {
    "uncased": ("wordpiece", {"normalizer": BERT}),
    "cased": ("wordpiece", {"normalizer": BERT | {"lowercase": False}}),
    "cased without accents": ("wordpiece", {"normalizer": BERT | {"lowercase": False, "strip_accents": True}}),
    "uncased with accents": ("wordpiece", {"normalizer": BERT | {"strip_accents": False}}),
    "as it is": ("wordpiece", {"normalizer": BERT | {"clean_text": False, "handle_chinese_chars": False}}),
    "short words": ("wordpiece", {"normalizer": BERT, "model.max_input_chars_per_word": 5}),
    "unigram": ("unigram", {}),
    "unigram, first": ("unigram", {"pre_tokenizer": META | {"prepend_scheme": "first"}}),
    "unigram, never": ("unigram", {"pre_tokenizer": META | {"prepend_scheme": "never"}}),
    "unigram, whole": ("unigram", {"pre_tokenizer": META | {"split": False}}),
    "unigram, words as XLM-R": ("unigram", {"pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, META]}}),
    "unigram, NFKC": ("unigram", {"normalizer": {"type": "Sequence", "normalizers": [{"type": "NFKC"}, {"type": "Lowercase"}]}}),
    "unigram by bytes": ("unigram", {"bytes": True}),
}


def with_bytes(tokenizer):
    """Puts the 256 byte tokens into a Unigram vocabulary and turns byte fallback on."""
    tokenizer["model"]["vocab"] += [[f"<0x{byte:02X}>", -20.0] for byte in range(256)]
    tokenizer["model"]["byte_fallback"] = True


rng = random.Random(5)
# Signs that are punctuation or accents only since their tables were made come first.
texts = ["a\u061db a\u2e52b", "e\u1abf o\u1df6"] + [text(rng) for _ in range(COUNT)]
cases = []
for name, (base, changes) in CASES.items():
    changes = dict(changes)
    is_bytes = changes.pop("bytes", False)
    tokenizer = changed(base, changes)
    if is_bytes:
        with_bytes(tokenizer)
    rust = Tokenizer.from_str(json.dumps(tokenizer))
    ids = [rust.encode(each, add_special_tokens=False).ids for each in texts]
    cases.append(dict(name=name, base=base, changes=changes, byte_fallback=is_bytes, ids=ids))


def from_vocabulary(config):
    """What Transformers makes of the WordPiece vocabulary as a vocab.txt."""
    vocab = json.loads((HERE / "tokenizer-wordpiece.json").read_text())["tokenizer"]["model"]["vocab"]
    lines = "\n".join(sorted(vocab, key=vocab.get)) + "\n"
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "vocab.txt").write_text(lines)
        (Path(folder) / "tokenizer_config.json").write_text(json.dumps(config | dict(tokenizer_class="BertTokenizerFast")))
        tokenizer = BertTokenizerFast.from_pretrained(folder)
        return dict(config=config, ids=[tokenizer(each)["input_ids"] for each in texts])


vocabularies = [from_vocabulary(config) for config in ({}, dict(do_lower_case=False), dict(do_lower_case=False, strip_accents=True, tokenize_chinese_chars=False))]
OUT.write_text(json.dumps(dict(texts=texts, cases=cases, vocabularies=vocabularies), ensure_ascii=True) + "\n")
print(len(texts), "texts,", OUT.stat().st_size // 1024, "KiB")
