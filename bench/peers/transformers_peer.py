"""What Transformers and PEFT reach in eager mode, measured by the same rules as ours, so that `bench/` can print a ratio.

    python bench/peers/transformers_peer.py make     --shape 22M --out DIR [--adapter-out DIR]
    python bench/peers/transformers_peer.py parity   --model DIR --ids IDS.json [--adapter DIR]
    python bench/peers/transformers_peer.py step     (--shape 22M | --model DIR) [--finetuning lora] [--ids IDS.json]
    python bench/peers/transformers_peer.py decode   (--shape 22M | --model DIR) [--ids IDS.json]
    python bench/peers/transformers_peer.py overhead

Every command prints one JSON object (`--json FILE` writes it there too). IDS.json is `[[id, ...], ...]`: one batch, or a
list of batches for `step`. With `--interactive`, `step`, `decode` and `overhead` measure one block per line read from
standard input and print one object each, so that two engines can take turns in warm processes; the end of the input ends it.
Optional: without a Python that has torch, transformers and peft, the bench prints our own figures alone.
"""

import argparse
import json
import statistics
import sys
import time

import torch

SHAPES = {
    "1M": dict(vocab_size=512, hidden_size=128, intermediate_size=352, num_hidden_layers=6, num_attention_heads=4, num_key_value_heads=2),
    "22M": dict(vocab_size=8192, hidden_size=384, intermediate_size=1024, num_hidden_layers=12, num_attention_heads=6, num_key_value_heads=2),
    "135M": dict(vocab_size=49152, hidden_size=576, intermediate_size=1536, num_hidden_layers=30, num_attention_heads=9, num_key_value_heads=3),
}
BATCHES = {"1M": (8, 128), "22M": (4, 256), "135M": (2, 256)}


def main():
    arguments = parse()
    torch.set_num_threads(arguments.threads)
    torch.set_num_interop_threads(1)
    blocks = COMMANDS[arguments.command](arguments)
    for result in blocks:
        result = dict(engine="transformers", command=arguments.command, threads=arguments.threads, **versions(), **result)
        print(json.dumps(result), flush=True)
        if arguments.json:
            with open(arguments.json, "w") as file:
                json.dump(result, file)


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", help="also write the result to this file")
    parser.add_argument("--interactive", action="store_true", help="one block per line of standard input")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16"])
    parser.add_argument("--bf16", action="store_true", help="`parity` and `step` in bfloat16 by autocast")
    parser.add_argument("--shape", choices=SHAPES)
    parser.add_argument("--model", help="a Hugging Face model directory")
    parser.add_argument("--ids", help="JSON: a batch of token ids, or for `step` a list of batches")
    parser.add_argument("--out")
    parser.add_argument("--adapter", help="a PEFT adapter directory")
    parser.add_argument("--adapter-out")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--finetuning", choices=["full", "lora"], default="full")
    parser.add_argument("--objective", choices=["lm", "dpo"], default="lm")
    parser.add_argument("--lora-r", type=int, default=8)
    parser.add_argument("--lora-alpha", type=float, default=16)
    parser.add_argument("--steps", type=int, default=10, help="steps of a block, warm-up included in the first block")
    parser.add_argument("--warmup", type=int, default=3)
    parser.add_argument("--lr", type=float, default=1e-4)
    parser.add_argument("--weight-decay", type=float, default=0.0, help="on matrices only")
    parser.add_argument("--max-grad-norm", type=float, default=1.0)
    parser.add_argument("--gradient-checkpointing", action="store_true")
    parser.add_argument("--prompt-tokens", type=int, default=16)
    parser.add_argument("--new-tokens", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=3)
    return parser.parse_args()


def versions():
    import transformers

    return dict(torch=torch.__version__, transformers=transformers.__version__)


def build(arguments):
    """The model of --model, or a random one of --shape; attention by SDPA."""
    from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

    dtype = getattr(torch, arguments.dtype)
    if arguments.model:
        model = AutoModelForCausalLM.from_pretrained(arguments.model, attn_implementation="sdpa", dtype=dtype)
    elif arguments.shape:
        torch.manual_seed(arguments.seed)
        config = LlamaConfig(**SHAPES[arguments.shape], max_position_embeddings=1024, tie_word_embeddings=True)
        model = LlamaForCausalLM._from_config(config, attn_implementation="sdpa", dtype=dtype)
    else:
        raise SystemExit("give --shape or --model")
    return model.to(arguments.device)


def build_adapted(arguments):
    """The model with LoRA on every linear layer, from --adapter or fresh, where asked for."""
    model = build(arguments)
    if arguments.adapter:
        from peft import PeftModel

        return PeftModel.from_pretrained(model, arguments.adapter, is_trainable=True)
    if arguments.finetuning == "lora":
        from peft import LoraConfig, get_peft_model

        settings = LoraConfig(r=arguments.lora_r, lora_alpha=arguments.lora_alpha, target_modules="all-linear", task_type="CAUSAL_LM")
        return get_peft_model(model, settings)
    return model


def read_ids(arguments):
    """A list of batches: from --ids, else one random batch of the shape's size."""
    if arguments.ids:
        with open(arguments.ids) as file:
            ids = json.load(file)
        batches = ids if isinstance(ids[0][0], list) else [ids]
        return [torch.tensor(batch, device=arguments.device) for batch in batches]
    if not arguments.shape:
        raise SystemExit("give --ids with --model")
    generator = torch.Generator().manual_seed(arguments.seed + 1)
    return [torch.randint(0, SHAPES[arguments.shape]["vocab_size"], BATCHES[arguments.shape], generator=generator).to(arguments.device)]


PROMPT = 64  # tokens of a pair's prompt; the rest of a row is the answer


def answer_log_probs(model, ids):
    """Log-probability of each row's answer, as TRL takes it: gathered logits less logsumexp, so that no log-softmax is kept."""
    logits = model(input_ids=ids, use_cache=False).logits[:, PROMPT - 1 : -1]
    chosen = logits.gather(-1, ids[:, PROMPT:].unsqueeze(-1)).squeeze(-1)
    return (chosen - torch.stack([row.logsumexp(-1) for row in logits])).sum(-1)


def objective(arguments, model):
    """ids -> loss: next tokens, or DPO (sigmoid, beta 0.1) of the first half of the rows over the second. The reference is the adapter
    switched off, or a second frozen copy."""
    if arguments.objective == "lm":
        return lambda ids: model(input_ids=ids, labels=ids, use_cache=False).loss
    copy = None
    if not hasattr(model, "disable_adapter"):
        copy = build(arguments).eval()
        copy.requires_grad_(False)

    def loss(ids):
        with torch.no_grad():
            if copy is not None:
                reference = answer_log_probs(copy, ids)
            else:
                with model.disable_adapter():
                    reference = answer_log_probs(model, ids)
        chosen, rejected = (answer_log_probs(model, ids) - reference).chunk(2)
        return -torch.nn.functional.logsigmoid(0.1 * (chosen - rejected)).mean()

    return loss


def turns(arguments):
    """One turn, or one per line of standard input."""
    if not arguments.interactive:
        yield 0
        return
    print(json.dumps(dict(ready=True)), flush=True)
    for turn, _ in enumerate(sys.stdin):
        yield turn


def synchronize(arguments):
    if arguments.device.startswith("cuda"):
        torch.cuda.synchronize()


def memory(arguments):
    """Peak resident memory in MiB: VmHWM of the process, and what CUDA allocated."""
    with open("/proc/self/status") as file:
        peak = next(int(line.split()[1]) for line in file if line.startswith("VmHWM"))
    found = dict(peak_rss_mib=round(peak / 1024, 1))
    if arguments.device.startswith("cuda"):
        found["peak_cuda_mib"] = round(torch.cuda.max_memory_allocated() / 2**20, 1)
    return found


def make(arguments):
    """Random weights (and an adapter away from zero) on disk, for both engines to load."""
    model = build(arguments)
    model.save_pretrained(arguments.out)
    if arguments.adapter_out:
        arguments.finetuning, arguments.model = "lora", arguments.out
        adapted = build_adapted(arguments)
        with torch.no_grad():
            for name, weight in adapted.named_parameters():
                if "lora_B" in name:
                    weight.normal_(0, 0.02)
        adapted.save_pretrained(arguments.adapter_out)
    yield dict(out=arguments.out, parameters=sum(p.numel() for p in model.parameters()))


def mixed(arguments):
    return torch.autocast(arguments.device.split(":")[0], torch.bfloat16, enabled=arguments.bf16)


def parity(arguments):
    """Loss and gradient norms on given ids: what must agree before any time is compared."""
    model = build_adapted(arguments).eval()
    ids = read_ids(arguments)[0]
    with mixed(arguments):
        loss = objective(arguments, model)(ids)
    loss.backward()
    norms = {name: p.grad.norm().item() for name, p in model.named_parameters() if p.grad is not None}
    total = sum(norm**2 for norm in norms.values()) ** 0.5
    yield dict(loss=loss.item(), grad_norm=total, grad_norms=norms)


def step(arguments):
    """Forward, backward, clipping and fused AdamW; times in ms, warm-up left out of the median."""
    model = build_adapted(arguments).train()
    if arguments.gradient_checkpointing:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs=dict(use_reentrant=False))
        if hasattr(model, "enable_input_require_grads"):
            model.enable_input_require_grads()
    trained = [p for p in model.parameters() if p.requires_grad]
    groups = [dict(params=[p for p in trained if p.dim() > 1], weight_decay=arguments.weight_decay),
              dict(params=[p for p in trained if p.dim() < 2], weight_decay=0.0)]
    optimizer = torch.optim.AdamW([group for group in groups if group["params"]], lr=arguments.lr, fused=True)
    batches = read_ids(arguments)
    loss_of = objective(arguments, model)
    done = 0
    for turn in turns(arguments):
        losses, norms, times, processor = [], [], [], []
        for _ in range(arguments.steps):
            ids = batches[done % len(batches)]
            synchronize(arguments)
            start, used = time.perf_counter(), time.process_time()
            with mixed(arguments):
                loss = loss_of(ids)
            loss.backward()
            norm = torch.nn.utils.clip_grad_norm_(trained, arguments.max_grad_norm)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            losses.append(loss.item())
            times.append((time.perf_counter() - start) * 1e3)
            processor.append((time.process_time() - used) * 1e3)
            norms.append(norm.item())
            done += 1
        kept = times[arguments.warmup:] if turn == 0 and len(times) > arguments.warmup else times
        median = statistics.median(kept)
        yield dict(finetuning=arguments.finetuning, shape=arguments.shape, batch=list(batches[0].shape), losses=losses, grad_norms=norms,
                   step_ms=[round(t, 3) for t in times], least_cpu_ms=round(min(processor), 3), median_ms=round(median, 3),
                   tokens_per_second=round(batches[0].numel() / median * 1e3, 1),
                   trained_parameters=sum(p.numel() for p in trained), **memory(arguments))


@torch.no_grad()
def decode(arguments):
    """Greedy `generate()` of a fixed number of tokens at batch 1, the prompt's own pass included."""
    model = build_adapted(arguments).eval()
    model.generation_config.eos_token_id = None
    if arguments.ids:
        prompt = read_ids(arguments)[0][:1]
    else:
        generator = torch.Generator().manual_seed(arguments.seed + 2)
        prompt = torch.randint(0, model.config.vocab_size, (1, arguments.prompt_tokens), generator=generator).to(arguments.device)

    def generate(count):
        return model.generate(prompt, max_new_tokens=count, do_sample=False, pad_token_id=0, attention_mask=torch.ones_like(prompt))

    generate(8)
    for _ in turns(arguments):
        times = []
        for _ in range(arguments.repeats):
            synchronize(arguments)
            start = time.perf_counter()
            ids = generate(arguments.new_tokens)
            synchronize(arguments)
            times.append(time.perf_counter() - start)
        yield dict(shape=arguments.shape, prompt_ids=prompt[0].tolist(), token_ids=ids[0, prompt.shape[1]:].tolist(),
                   seconds=[round(t, 5) for t in times],
                   tokens_per_second=round(arguments.new_tokens / statistics.median(times), 2), **memory(arguments))


def overhead(arguments):
    """Microseconds per call of operations too small to take any time themselves; the least of several rounds."""
    x, y = torch.ones(4), torch.full((4,), 2.0)
    a, b = torch.ones(4, 4), torch.ones(4, 4)
    g = torch.ones(4, requires_grad=True)

    def add():
        x + y

    def add_with_grad():
        g + y

    def mm():
        a @ b

    def view():
        a.view(16)

    def least(call, count=20_000, rounds=7):
        best = float("inf")
        for _ in range(rounds):
            start = time.perf_counter()
            for _ in range(count):
                call()
            best = min(best, time.perf_counter() - start)
        return round(best / count * 1e6, 4)

    for _ in turns(arguments):
        with torch.no_grad():
            plain = dict(add_us=least(add), mm_us=least(mm), view_us=least(view), empty_call_us=least(lambda: None))
        yield dict(**plain, add_with_grad_us=least(add_with_grad))


COMMANDS = dict(make=make, parity=parity, step=step, decode=decode, overhead=overhead)

if __name__ == "__main__":
    main()
