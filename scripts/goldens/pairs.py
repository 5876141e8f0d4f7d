"""Pairs of texts as `tokenizers` frames and cuts them, and what Transformers' classifiers say of ids in two segments.

    python scripts/goldens/pairs.py      # Transformers 5.18, PyTorch 2.13, tokenizers 0.23; writes test/fixtures/encoders/pairs.json
"""
import json
from pathlib import Path

import torch
from tokenizers import Tokenizer
from transformers import AutoModelForSequenceClassification

HERE = Path(__file__).resolve().parents[2] / "test" / "fixtures"
TEXT, OUT = HERE / "text", HERE / "encoders"
BERT = {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]}
ROBERTA = {"type": "RobertaProcessing", "sep": ["</s>", 3], "cls": ["<s>", 2], "trim_offsets": True, "add_prefix_space": False}
BYTES = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}
CHANGES = [("bert-cased", None), ("wordpiece", None), ("wordpiece", BERT), ("wordpiece", ROBERTA), ("unigram", None),
           ("llama2-legacy", None), ("gpt2", None), ("wordpiece", {"type": "Sequence", "processors": [BYTES, BERT]})]
TEXTS = [("the king", "the queen and all the court of Denmark went to see the play"), ("", "the king"), ("a b c d e f g h i j k l", "x"),
         ("to be or not to be that is the question", "whether it is nobler in the mind to suffer"), ("a b c d e f g h", "a b c d e f g h")]
LENGTHS = [1000, 16, 9, 6]

cases = []
for name, processor in CHANGES:
    config = json.loads((TEXT / f"tokenizer-{name}.json").read_text())["tokenizer"]
    if processor is not None:
        config["post_processor"] = processor
    tokenizer = Tokenizer.from_str(json.dumps(config))
    for length in LENGTHS:
        tokenizer.enable_truncation(length, strategy="longest_first")
        rows = [tokenizer.encode(*texts) for texts in TEXTS]
        cases.append({"tokenizer": name, "post_processor": processor, "length": length,
                      "pairs": [[row.ids, row.type_ids] for row in rows]})

models = {}
for name in ["bert-classify", "electra-classify", "roberta-classify", "modernbert-classify"]:
    model = AutoModelForSequenceClassification.from_pretrained(OUT / name, attn_implementation="eager").eval()
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(3, 96, (2, 14), generator=generator)
    types = torch.zeros_like(ids)
    types[0, 5:] = 1
    types[1, 9:] = 1
    more = {"token_type_ids": types} if getattr(model.config, "type_vocab_size", 0) > 1 else {}
    with torch.no_grad():
        logits = model(input_ids=ids, **more).logits
    models[name] = {"ids": ids.tolist(), "types": types.tolist(), "logits": [[round(v, 6) for v in row] for row in logits.tolist()]}

(HERE / "text-pairs.json").write_text(json.dumps({"texts": TEXTS, "cases": cases, "models": models}, separators=(",", ":")) + "\n")
