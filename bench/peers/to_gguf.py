"""A Llama directory as an f32 GGUF file, so that llama.cpp can be measured on the same weights: to_gguf.py MODEL_DIR OUT.gguf. The
vocabulary is made of filler tokens: only ids are compared."""

import json
import sys

import gguf
import numpy as np
from safetensors.numpy import load_file

directory, out = sys.argv[1:3]
config = json.load(open(f"{directory}/config.json"))
weights = load_file(f"{directory}/model.safetensors")
heads, kv_heads = config["num_attention_heads"], config["num_key_value_heads"]
vocab = config["vocab_size"]

writer = gguf.GGUFWriter(out, "llama")
writer.add_context_length(config["max_position_embeddings"])
writer.add_embedding_length(config["hidden_size"])
writer.add_block_count(config["num_hidden_layers"])
writer.add_feed_forward_length(config["intermediate_size"])
writer.add_head_count(heads)
writer.add_head_count_kv(kv_heads)
writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
writer.add_rope_freq_base(config.get("rope_theta", 10000.0))
writer.add_rope_dimension_count(config["hidden_size"] // heads)
writer.add_vocab_size(vocab)
writer.add_file_type(0)
writer.add_tokenizer_model("gpt2")
writer.add_tokenizer_pre("gpt-2")
writer.add_token_list([f"<{i}>" for i in range(vocab)])
writer.add_token_types([1] * vocab)
writer.add_token_merges(["< 0"])
writer.add_eos_token_id(0)
writer.add_bos_token_id(0)

NAMES = {"input_layernorm": "attn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
         "post_attention_layernorm": "ffn_norm", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down"}


def permuted(weight, count):
    """Rows of q and k from Hugging Face's half-split order to llama.cpp's interleaved one."""
    return weight.reshape(count, 2, weight.shape[0] // count // 2, -1).swapaxes(1, 2).reshape(weight.shape)


writer.add_tensor("token_embd.weight", weights["model.embed_tokens.weight"])
writer.add_tensor("output_norm.weight", weights["model.norm.weight"])
for layer in range(config["num_hidden_layers"]):
    for ours, theirs in NAMES.items():
        weight = weights[f"model.layers.{layer}.{ours}.weight"]
        if ours.endswith("q_proj"):
            weight = permuted(weight, heads)
        if ours.endswith("k_proj"):
            weight = permuted(weight, kv_heads)
        writer.add_tensor(f"blk.{layer}.{theirs}.weight", np.ascontiguousarray(weight))
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()
