"""Makes test/fixtures/encoders: one tiny checkpoint per encoder family and head, and decoders with a pooled head, with what Transformers says.

    python scripts/goldens/encoders.py [NAME ...]     # Transformers 5.18, PyTorch 2.13; float32 on a CPU, seeded

Row 2 is padded. Weights are drawn as in models.py: attention far from uniform, norms and biases away from 1 and 0.
"""

import json
import shutil
import sys
from pathlib import Path

import torch
import transformers
from transformers import AutoConfig

from models import MADE_WITH, digits, draw_weights, write_json

OUT = Path(__file__).resolve().parents[2] / "test" / "fixtures" / "encoders"
V = 96
BERT = dict(vocab_size=V, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2, max_position_embeddings=40)
DISTIL = dict(vocab_size=V, dim=16, hidden_dim=24, n_layers=2, n_heads=2, max_position_embeddings=40)
MODERN = dict(vocab_size=V, hidden_size=16, intermediate_size=20, num_hidden_layers=3, num_attention_heads=2, local_attention=10,
              pad_token_id=0, bos_token_id=1, eos_token_id=2, cls_token_id=1, sep_token_id=2, max_position_embeddings=64)
LLAMA = dict(vocab_size=V, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1,
             max_position_embeddings=64, pad_token_id=0, bos_token_id=1, eos_token_id=2)
LABELS = dict(id2label={0: "no", 1: "perhaps", 2: "yes"}, label2id={"no": 0, "perhaps": 1, "yes": 2})
HEADS = {"mlm": "ForMaskedLM", "classify": "ForSequenceClassification", "token": "ForTokenClassification", "rtd": "ForPreTraining"}
FAMILIES = {
    "bert": ("bert", "Bert", BERT, 0), "roberta": ("roberta", "Roberta", BERT | dict(pad_token_id=1, layer_norm_eps=1e-5), 1),
    "xlm-roberta": ("xlm-roberta", "XLMRoberta", BERT | dict(pad_token_id=1, type_vocab_size=1), 1),
    "distilbert": ("distilbert", "DistilBert", DISTIL, 0),
    "electra": ("electra", "Electra", BERT | dict(embedding_size=12), 0),
    "modernbert": ("modernbert", "ModernBert", MODERN, 0),
}
CASES = {f"{name}-{head}": (model_type, prefix + HEADS[head], settings, pad, head)
         for name, (model_type, prefix, settings, pad) in FAMILIES.items()
         for head in HEADS if head != "rtd" or name == "electra"}
CASES["modernbert-classify-mean"] = ("modernbert", "ModernBertForSequenceClassification",
                                     MODERN | dict(classifier_pooling="mean", classifier_bias=True, norm_bias=True,
                                                   attention_bias=True, mlp_bias=True), 0, "classify")
CASES["bert-model"] = ("bert", "BertModel", BERT, 0, "none")
CASES["llama-classify"] = ("llama", "LlamaForSequenceClassification", LLAMA, 0, "classify")
CASES["gpt2-classify"] = ("gpt2", "GPT2ForSequenceClassification", dict(vocab_size=V, n_embd=16, n_layer=2, n_head=2, n_positions=40,
                          n_inner=24, bos_token_id=1, eos_token_id=2, pad_token_id=0), 0, "classify")


def make(name, model_type, architecture, settings, pad, head):
    seed = 2000 + sum(map(ord, name))
    generator = torch.Generator().manual_seed(seed)
    labels = LABELS if head in ("classify", "token") else {}
    config = AutoConfig.for_model(model_type, **settings, **labels, dtype="float32")
    cls = getattr(transformers, architecture)
    model = cls._from_config(config, attn_implementation="eager").float().eval()
    draw_weights(model, generator)
    folder = OUT / name
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder)
    model = cls.from_pretrained(folder, attn_implementation="eager").eval()
    ids = torch.randint(3, V, (2, 20), generator=generator)
    mask = torch.ones_like(ids)
    ids[1, 13:] = pad
    mask[1, 13:] = 0
    output = model(input_ids=ids, attention_mask=mask)
    expected = dict(made_with=MADE_WITH, seed=seed, architecture=architecture, input_ids=ids.tolist(), attention_mask=mask.tolist())
    if head == "none":
        expected["hidden"] = digits(output.last_hidden_state.tolist())
    elif head == "rtd":
        expected["logits"] = digits(output.logits.tolist())
    else:
        if head == "classify":
            targets = torch.tensor([2, 0])
        else:
            targets = torch.randint(0, V if head == "mlm" else 3, ids.shape, generator=generator)
            targets[torch.rand(ids.shape, generator=generator) < 0.6] = -100
            targets[mask == 0] = -100
        loss = torch.nn.functional.cross_entropy(output.logits.flatten(0, -2), targets.flatten())
        loss.backward()
        expected |= dict(logits=digits(output.logits.tolist()) if head != "mlm" else digits(output.logits[:, [0, 5]].tolist()),
                         labels=targets.tolist(), loss=digits(loss.item()),
                         grad_norms={key: digits(p.grad.norm().item()) for key, p in model.named_parameters() if p.grad is not None})
    write_json(folder / "expected.json", expected)
    print(f"{name:26} {(folder / 'model.safetensors').stat().st_size // 1024:4} KiB")


for name in sys.argv[1:] or CASES:
    make(name, *CASES[name])
