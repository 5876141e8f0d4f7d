"""A Parquet table with text beside raw bytes: a hash, a picture in a struct, bytes that are text but for a NUL.

    python scripts/goldens/parquet_bytes.py      # needs pyarrow; writes test/fixtures/data/bytes.parquet
"""

from pathlib import Path

import pyarrow
import pyarrow.parquet

TARGET = Path(__file__).parents[2] / "test/fixtures/data/bytes.parquet"

rows = [
    {
        "prompt": f"Question {i}?",
        "completion": f"Answer {i}.",
        "hash": bytes([0xFF, 0xFE, i]),
        "image": {"bytes": b"\x89PNG", "path": "a.png"},
        "packed": bytes([i, 0]),
        "note": b"plain",
    }
    for i in range(2)
]
table = pyarrow.Table.from_pylist(rows)
pyarrow.parquet.write_table(table, TARGET, compression="none", store_schema=False)
