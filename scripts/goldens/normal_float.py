"""Codes of NF4, NF3 and NF2 for a small matrix, by the definition: the entry nearest to w / absmax of its block of 64.

Run: python scripts/goldens/normal_float.py    (PyTorch; the numbers are in src/nn/quant/quantize-weight.test.ts)
The codebooks are computed as bitsandbytes' create_normal_map does, with PyTorch's inverse of the normal distribution function.
"""

import torch


def codebook(bits: int) -> torch.Tensor:
    half, offset = 2 ** (bits - 1), 0.9677083
    above = torch.special.ndtri(torch.linspace(offset, 0.5, half + 1, dtype=torch.float64)[:-1])
    below = -torch.special.ndtri(torch.linspace(offset, 0.5, half, dtype=torch.float64)[:-1])
    values = torch.cat([above, torch.zeros(1, dtype=torch.float64), below]).sort().values
    return values / values.max()


rows, columns = torch.arange(2, dtype=torch.float64)[:, None], torch.arange(64, dtype=torch.float64)
weight = (torch.sin(1.7 * rows + 0.37 * columns**2) * (1 + rows)).float()
for bits in (4, 3, 2):
    levels = codebook(bits).float()
    absmax = weight.abs().amax(1, keepdim=True)
    codes = (weight[..., None] / absmax[..., None] - levels).abs().argmin(-1)
    error = (levels[codes] * absmax - weight).double().norm().item()
    print(f"nf{bits} error {error:.6f} codes", "".join("0123456789abcdef"[code] for code in codes.flatten().tolist()))
