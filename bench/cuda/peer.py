"""The cases of ours.ts for Transformers and PEFT: peer.py OUT.json [CASE ...]. Eager with SDPA; `full-1B` also under torch.compile."""

import json
import statistics
import sys
import time

import torch
import transformers
from transformers import LlamaConfig, LlamaForCausalLM

VOCAB = 128256
SHAPES = {
    "1B": dict(hidden_size=2048, intermediate_size=8192, num_hidden_layers=16, tie_word_embeddings=True),
    "8B": dict(hidden_size=4096, intermediate_size=14336, num_hidden_layers=32, tie_word_embeddings=False),
}


def build(shape, dtype):
    config = LlamaConfig(vocab_size=VOCAB, num_attention_heads=32, num_key_value_heads=8, max_position_embeddings=65536, rope_theta=500000.0, **SHAPES[shape])
    torch.manual_seed(0)
    with torch.device("cuda"):
        return LlamaForCausalLM._from_config(config, attn_implementation="sdpa", dtype=dtype)


def ids_of(rows, length):
    return torch.tensor([(i * 7919 + 13) % VOCAB for i in range(rows * length)], device="cuda").view(rows, length)


def gib(count):
    return round(count / 2**30, 3)


def steps(model, rows, length, count=8, compiled=False):
    """f32 weights and bf16 products (autocast), as Trainer's bf16; or bf16 weights with f32 adapters."""
    ids = ids_of(rows, length)
    model.train()
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-5, weight_decay=0.0, fused=True)
    call = torch.compile(model) if compiled else model
    times, first = [], None
    for step in range(count + 3):
        if step == 2:
            torch.cuda.reset_peak_memory_stats()
        torch.cuda.synchronize()
        begun = time.perf_counter()
        with torch.autocast("cuda", dtype=torch.bfloat16):
            loss = call(input_ids=ids, labels=ids, use_cache=False).loss
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        value, _ = loss.item(), norm.item()
        first = value if first is None else first
        torch.cuda.synchronize()
        times.append(1e3 * (time.perf_counter() - begun))
    ms = statistics.median(times[3:])
    return dict(rows=rows, length=length, ms=ms, tokens_per_second=1e3 * rows * length / ms, peak_gib=gib(torch.cuda.max_memory_allocated()), first_loss=first)


@torch.no_grad()
def decode(model, rows):
    model.eval()
    model.generation_config.eos_token_id = None
    prompt = ids_of(1, 128).repeat(rows, 1)

    def run():
        torch.cuda.synchronize()
        begun = time.perf_counter()
        model.generate(prompt, max_new_tokens=64, do_sample=False, pad_token_id=0, attention_mask=torch.ones_like(prompt))
        torch.cuda.synchronize()
        return 1e3 * (time.perf_counter() - begun)

    run()
    ms = statistics.median([run() for _ in range(3)])
    return dict(rows=rows, ms=ms, tokens_per_second=64e3 * rows / ms)


def lora(model):
    from peft import LoraConfig, get_peft_model

    return get_peft_model(model, LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM"))


CASES = {
    "full-1B": lambda: steps(build("1B", torch.float32), 4, 1024),
    "full-1B-compiled": lambda: steps(build("1B", torch.float32), 4, 1024, compiled=True),
    "lora-8B": lambda: steps(lora(build("8B", torch.bfloat16)), 1, 2048),
    "decode-1B": lambda: (lambda model: [decode(model, 1), decode(model, 16)])(build("1B", torch.bfloat16)),
    "decode-8B": lambda: (lambda model: [decode(model, 1), decode(model, 16)])(build("8B", torch.bfloat16)),
}

out, *wanted = sys.argv[1:]
results = dict(torch=torch.__version__, transformers=transformers.__version__, gpu=torch.cuda.get_device_name())
for name in wanted or CASES:
    begun = time.perf_counter()
    try:
        results[name] = CASES[name]()
    except Exception as error:
        results[name] = dict(error=repr(error)[:300])
    torch.cuda.empty_cache()
    print(name, json.dumps(results[name]), f"{time.perf_counter() - begun:.1f} s", flush=True)
    with open(out, "w") as file:
        json.dump(results, file, indent=2)
sys.exit(any("error" in result for result in results.values() if isinstance(result, dict)))
