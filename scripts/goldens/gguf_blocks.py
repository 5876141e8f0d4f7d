"""Makes test/fixtures/gguf/blocks.json with the gguf package: gguf_blocks.py > test/fixtures/gguf/blocks.json. Random bytes as blocks
of every type with their values, and values with their blocks for the types that the package quantizes."""

import base64
import json
import sys

import gguf
import numpy as np
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

# Where the f16 scales of a block are: random bytes there could be infinite.
SCALES = {"F16": [0], "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "Q2_K": [80, 82], "Q3_K": [108],
          "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208]}
random = np.random.default_rng(7)


def encode(array):
    return base64.b64encode(array.tobytes()).decode()


dequantized = {}
for name, offsets in SCALES.items():
    kind = GGMLQuantizationType[name]
    size, width = GGML_QUANT_SIZES[kind]
    blocks = max(1, 256 // size)
    raw = random.integers(0, 256, size=(blocks, width), dtype=np.uint8)
    for offset in offsets:
        raw[:, offset:offset + 2] = random.normal(0, 0.05, size=(blocks, 1)).astype(np.float16).view(np.uint8)
    values = gguf.quants.dequantize(raw.reshape(1, -1), kind).astype(np.float32)
    dequantized[name] = {"bytes": encode(raw), "values": encode(values)}
values = np.concatenate([
    random.normal(0, 0.02, 192), random.uniform(-1, 1, 32), np.zeros(32), [0.5] * 32, -np.arange(32) / 7,
    random.normal(0, 1e-7, 32), random.normal(0, 30, 32) * random.integers(0, 2, 32),
]).astype(np.float32).reshape(1, -1)
quantized = {name: encode(gguf.quants.quantize(values, GGMLQuantizationType[name])) for name in ["Q8_0", "Q4_0", "Q5_0"]}
json.dump({"dequantized": dequantized, "values": encode(values), "quantized": quantized}, sys.stdout, indent=1)
