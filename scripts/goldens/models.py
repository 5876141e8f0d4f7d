"""Makes test/fixtures/models: one tiny checkpoint per decoder family and rotary variant, with what Transformers says.

    python scripts/goldens/models.py [NAME ...]       # Transformers 5.18, PyTorch 2.13; float32 on a CPU, seeded

`test/fixtures/models/llama` is not made here: adapters and training trajectories refer to exactly its weights; only its
packed.json is. Weights are drawn large enough that attention is far from uniform, so that a wrong rotation, mask, scale
or cap shows in the logits; norms and biases are away from 1 and 0 for the same reason.
"""

import json
import math
import shutil
import sys
import tempfile
from pathlib import Path

import torch
import transformers
from transformers import AutoConfig, AutoModelForCausalLM

OUT = Path(__file__).resolve().parents[2] / "test" / "fixtures" / "models"
MADE_WITH = f"transformers {transformers.__version__}, torch {torch.__version__.split('+')[0]}, float32, eager attention"

# Small: hidden 32 with 4 heads of 16 where a family takes head_dim from config.json, else hidden 64.
BASE = dict(vocab_size=128, hidden_size=32, intermediate_size=48, num_hidden_layers=3, num_attention_heads=4,
            num_key_value_heads=2, head_dim=16, max_position_embeddings=256, pad_token_id=None, bos_token_id=1, eos_token_id=2)
WIDE = {k: v for k, v in BASE.items() if k != "head_dim"} | dict(hidden_size=64, intermediate_size=80, num_hidden_layers=2)
NEOX = {k: v for k, v in WIDE.items() if k != "num_key_value_heads"} | dict(hidden_act="gelu")
TWO = BASE | dict(num_hidden_layers=2)
SHORT = [1.0 + 0.05 * i for i in range(8)]
LONG = [1.0 + 0.9 * i for i in range(8)]


def rope(rope_type, theta=10000.0, **rest):
    return dict(rope_parameters=dict(rope_type=rope_type, rope_theta=theta, **rest))


# name: (model_type, config, options). `greedy` = (prompt, new tokens); `other` = a second length, across a boundary.
CASES = {
    "llama31-tied": ("llama", BASE | dict(tie_word_embeddings=True) | rope("llama3", 5e5, factor=8.0, low_freq_factor=1.0,
                     high_freq_factor=4.0, original_max_position_embeddings=32), {}),
    "llama-biases": ("llama", TWO | dict(attention_bias=True, mlp_bias=True, hidden_act="gelu_pytorch_tanh"), {}),
    "mistral-swa": ("mistral", BASE | dict(sliding_window=12), {}),
    "qwen2": ("qwen2", {k: v for k, v in BASE.items() if k != "head_dim"} | dict(tie_word_embeddings=True), {}),
    "qwen2-swa": ("qwen2", {k: v for k, v in BASE.items() if k != "head_dim"} | dict(use_sliding_window=True,
                  sliding_window=9, max_window_layers=1, rope_parameters=dict(rope_type="default", rope_theta=1e6)), {}),
    "qwen3": ("qwen3", BASE | dict(head_dim=24), {}),
    "gemma": ("gemma", BASE | dict(num_hidden_layers=2, num_key_value_heads=1), {}),
    "gemma2": ("gemma2", BASE | dict(sliding_window=10, query_pre_attn_scalar=20, attn_logit_softcapping=4.0,
               final_logit_softcapping=3.0), {}),
    "gemma3": ("gemma3_text", BASE | dict(num_hidden_layers=4, sliding_window=10, query_pre_attn_scalar=20,
               sliding_window_pattern=3, rope_parameters=dict(
                   full_attention=dict(rope_type="linear", rope_theta=1e6, factor=4.0),
                   sliding_attention=dict(rope_type="default", rope_theta=1e4))), {}),
    "phi3": ("phi3", WIDE | dict(sliding_window=14), {}),
    "phi3-longrope": ("phi3", WIDE | dict(partial_rotary_factor=0.75, original_max_position_embeddings=24,
                      max_position_embeddings=96) | rope("longrope", short_factor=SHORT[:6], long_factor=LONG[:6]),
                      dict(other=20, greedy=(26, 20))),
    "olmo2": ("olmo2", {k: v for k, v in BASE.items() if k != "head_dim"}, {}),
    "smollm3": ("smollm3", {k: v for k, v in BASE.items() if k != "head_dim"} | dict(num_hidden_layers=4,
                no_rope_layer_interval=3), {}),
    "gpt-neox": ("gpt_neox", NEOX | dict(rope_parameters=dict(rope_type="default", rope_theta=1e4,
                 partial_rotary_factor=0.5)), {}),
    "gpt-neox-sequential": ("gpt_neox", NEOX | dict(use_parallel_residual=False, num_hidden_layers=1), {}),
    "gpt2": ("gpt2", dict(vocab_size=128, n_embd=64, n_layer=2, n_head=4, n_positions=64, n_inner=96, bos_token_id=1,
             eos_token_id=2, scale_attn_by_inverse_layer_idx=True), {}),
    "rope-linear": ("llama", TWO | rope("linear", factor=4.0), {}),
    "rope-dynamic": ("llama", TWO | dict(max_position_embeddings=32) | rope("dynamic", factor=2.0),
                     dict(other=24, greedy=(8, 20))),
    "rope-yarn": ("llama", TWO | rope("yarn", factor=4.0, original_max_position_embeddings=64), {}),
    "rope-yarn-mscale": ("llama", TWO | rope("yarn", 1e5, factor=8.0, original_max_position_embeddings=32, mscale=0.707,
                         mscale_all_dim=1.4, beta_fast=4.0, beta_slow=0.5, truncate=False), {}),
    "rope-yarn-factor": ("llama", TWO | rope("yarn", factor=4.0, original_max_position_embeddings=64,
                         attention_factor=1.3), {}),
    "rope-longrope": ("llama", TWO | rope("longrope", short_factor=SHORT, long_factor=LONG, factor=4.0,
                      original_max_position_embeddings=32), dict(other=30, greedy=(34, 20))),
}


def digits(value, n=7):
    """Rounds numbers in nested lists to n significant digits."""
    return [digits(v, n) for v in value] if isinstance(value, list) else float(f"{value:.{n}g}")


@torch.no_grad()
def draw_weights(model, generator):
    """Every weight away from the trivial: sharp attention, norms around 1 (or 0 where the class adds 1), biases."""
    has_offset = model.config.model_type.startswith("gemma")
    for name, weight in model.named_parameters():
        noise = torch.randn(weight.shape, generator=generator)
        if weight.dim() == 1:
            is_norm = name.endswith("weight")
            weight.copy_(noise * (0.2 if is_norm else 0.1) + (1.0 if is_norm and not has_offset else 0.0))
        elif "embed" in name or "wte" in name or "wpe" in name or "lm_head" in name:
            weight.copy_(noise / math.sqrt(weight.shape[-1]))
        else:
            fan_in = weight.shape[0] if model.config.model_type == "gpt2" else weight.shape[1]
            sharp = 2.0 if any(part in name for part in ("q_proj", "k_proj", "qkv", "query_key", "c_attn")) else 1.0
            weight.copy_(noise * sharp / math.sqrt(fan_in))


def run(model, ids):
    """Logits and what expected.json says about them."""
    logits = model(input_ids=ids, use_cache=False).logits
    logprobs = logits[:, :-1].log_softmax(-1).gather(-1, ids[:, 1:, None]).squeeze(-1)
    return logprobs, dict(input_ids=ids.tolist(), logits_last=digits(logits[:, -1].tolist()),
                          logits_sum_per_position=digits(logits.sum(-1).tolist()),
                          token_logprobs=digits(logprobs.tolist()), loss=digits(-logprobs.mean().item()))


@torch.no_grad()
def greedy(model, prompt, count):
    """Without a cache; the smallest lead of the chosen token tells whether rounding could turn it."""
    ids, lead = prompt, math.inf
    for _ in range(count):
        top = model(input_ids=ids, use_cache=False).logits[0, -1].topk(2)
        lead = min(lead, (top.values[0] - top.values[1]).item())
        ids = torch.cat([ids, top.indices[:1][None]], dim=1)
    return ids, lead


def make(name, model_type, settings, options):
    seed = 1000 + sum(map(ord, name))
    generator = torch.Generator().manual_seed(seed)
    config = AutoConfig.for_model(model_type, **settings, dtype="float32")
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager").float().eval()
    draw_weights(model, generator)
    folder = OUT / name
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder)

    # What is measured is what was saved, loaded again.
    model = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager").eval()
    ids = torch.randint(3, config.vocab_size, (2, 40), generator=generator)
    logprobs, expected = run(model, ids)
    (-logprobs.mean()).backward()
    grad_norms = {key: digits(p.grad.norm().item()) for key, p in model.named_parameters()}
    expected = dict(kind="causal-lm", made_with=MADE_WITH, seed=seed) | expected | dict(grad_norms=grad_norms)
    if "other" in options:
        expected["other_length"] = run(model, torch.randint(3, config.vocab_size, (2, options["other"]), generator=generator))[1]

    length, count = options.get("greedy", (8, 24))
    for _ in range(50):
        prompt = torch.randint(3, config.vocab_size, (1, length), generator=generator)
        found, lead = greedy(model, prompt, count)
        if lead > 5e-3 and config.eos_token_id not in found[0, length:]:
            break
    else:
        raise SystemExit(f"{name}: no prompt with a clear greedy choice")
    cached = model.generate(prompt, max_new_tokens=count, do_sample=False, pad_token_id=0,
                            attention_mask=torch.ones_like(prompt))
    assert torch.equal(cached, found), f"{name}: the cache changes the greedy continuation"
    expected |= dict(greedy_prompt=prompt[0].tolist(), greedy_ids=found[0].tolist(), greedy_lead=digits(lead, 3))
    write_json(folder / "expected.json", expected)

    old = old_spelling(json.loads((folder / "config.json").read_text()))
    write_json(folder / "config-v4.json", old, indent=2)
    check_old_spelling(folder, old, ids, expected)
    size = (folder / "model.safetensors").stat().st_size
    print(f"{name:22} {size // 1024:4} KiB  loss {expected['loss']:.4f}  lead {lead:.3f}  rope matters {rope_effect(folder, ids):.3f}")


def old_spelling(config):
    """The same config.json as Transformers 4 wrote it."""
    old = {k: v for k, v in config.items() if k not in ("rope_parameters", "dtype", "transformers_version")}
    old |= dict(torch_dtype=config["dtype"], transformers_version="4.51.3")
    parameters = config.get("rope_parameters")
    if parameters is None:
        return old
    if "full_attention" in parameters:
        old["rope_local_base_freq"] = parameters["sliding_attention"]["rope_theta"]
        parameters = parameters["full_attention"]
    scaling = {k: v for k, v in parameters.items() if k not in ("rope_theta", "partial_rotary_factor")}
    names = ("rotary_emb_base", "rotary_pct") if config["model_type"] == "gpt_neox" else ("rope_theta", "partial_rotary_factor")
    old[names[0]] = parameters["rope_theta"]
    if "partial_rotary_factor" in parameters:
        old[names[1]] = parameters["partial_rotary_factor"]
    if config["model_type"] == "phi3":
        scaling.pop("original_max_position_embeddings", None)
    if (scaling["rope_type"] in ("linear", "dynamic") or config["model_type"] == "phi3") and config["model_type"] != "gemma3_text":
        scaling = dict(type=scaling.pop("rope_type")) | scaling
    old["rope_scaling"] = None if list(scaling.values()) == ["default"] else scaling
    if config["model_type"] in ("qwen2", "smollm3", "gemma2", "gemma3_text"):
        # Before layer_types, the class derived the windows from these.
        old.pop("layer_types", None)
        if "_sliding_window_pattern" in old:
            old["sliding_window_pattern"] = old.pop("_sliding_window_pattern")
    return old


def load_with(folder, config):
    with tempfile.TemporaryDirectory() as temporary:
        shutil.copy(folder / "model.safetensors", temporary)
        write_json(Path(temporary) / "config.json", config)
        return AutoModelForCausalLM.from_pretrained(temporary, attn_implementation="eager").eval()


@torch.no_grad()
def check_old_spelling(folder, old, ids, expected):
    _, got = run(load_with(folder, old), ids)
    assert got["logits_last"] == expected["logits_last"], f"{folder.name}: the v4 spelling means another model"


@torch.no_grad()
def rope_effect(folder, ids):
    """How far the logits move when the rotation is the plain one: tells that the fixture bites."""
    config = json.loads((folder / "config.json").read_text())
    parameters = config.get("rope_parameters")
    if parameters is None:
        return 0.0
    original = load_with(folder, config)(input_ids=ids).logits
    plain = dict(rope_type="default", rope_theta=3.0e4)
    if "partial_rotary_factor" in parameters:
        plain["partial_rotary_factor"] = parameters["partial_rotary_factor"]
    config["rope_parameters"] = dict(full_attention=plain, sliding_attention=plain) if "full_attention" in parameters else plain
    return (load_with(folder, config)(input_ids=ids).logits - original).abs().max().item()


def write_json(path, value, indent=None):
    path.write_text(json.dumps(value, indent=indent) + "\n")


def make_packed():
    """llama/packed.json: documents packed into one row, and prompts of unequal length in one batch."""
    model = AutoModelForCausalLM.from_pretrained(OUT / "llama", attn_implementation="eager").eval()
    generator = torch.Generator().manual_seed(4)
    documents = [torch.randint(3, model.config.vocab_size, (1, n), generator=generator) for n in (17, 23)]
    losses = [-run(model, ids)[0] for ids in documents]
    total = torch.cat([loss.flatten() for loss in losses]).mean()
    total.backward()
    norm = torch.stack([p.grad.norm() for p in model.parameters()]).norm()

    # The same as one row with a block-diagonal mask and restarted positions.
    row = torch.cat(documents, dim=1)
    owner = torch.tensor([0] * 17 + [1] * 23)
    allowed = (owner[:, None] == owner[None, :]) & torch.ones(40, 40, dtype=torch.bool).tril()
    mask = torch.zeros(1, 1, 40, 40).masked_fill(~allowed, torch.finfo(torch.float32).min)
    positions = torch.cat([torch.arange(17), torch.arange(23)])[None]
    logits = model(input_ids=row, attention_mask=mask, position_ids=positions, use_cache=False).logits
    for document, start in zip(documents, (0, 17)):
        alone = model(input_ids=document, use_cache=False).logits
        assert torch.allclose(logits[:, start:start + document.shape[1]], alone, atol=1e-5)

    prompts = [torch.randint(3, model.config.vocab_size, (1, n), generator=generator) for n in (5, 12, 9)]
    singles = [dict(input_ids=p[0].tolist(), logits_last=digits(model(input_ids=p).logits[0, -1].tolist()),
                    greedy_ids=greedy(model, p, 12)[0][0].tolist(), greedy_lead=digits(greedy(model, p, 12)[1], 3)) for p in prompts]
    write_json(OUT / "llama" / "packed.json", dict(
        made_with=MADE_WITH, documents=[d[0].tolist() for d in documents],
        document_losses=[digits(loss.mean().item()) for loss in losses],
        supervised_tokens=[d.shape[1] - 1 for d in documents], packed_loss=digits(total.item()),
        packed_grad_norm=digits(norm.item()), logits_sum_per_position=digits(logits[0].sum(-1).tolist()), prompts=singles))


if __name__ == "__main__":
    torch.set_num_threads(1)
    for case in sys.argv[1:] or CASES:
        make(case, *CASES[case])
    if not sys.argv[1:]:
        make_packed()
