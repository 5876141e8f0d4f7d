"""A Parquet table of tool calls, as a column store unifies their arguments: every struct has the keys of all, with nulls.

    python scripts/goldens/parquet_calls.py      # needs pyarrow; writes test/fixtures/data/calls.parquet
"""

from pathlib import Path

import pyarrow
import pyarrow.parquet

TARGET = Path(__file__).parents[2] / "test/fixtures/data/calls.parquet"


def row(name: str, arguments: dict) -> dict:
    call = {"type": "function", "function": {"name": name, "arguments": arguments}}
    return {
        "messages": [
            {"role": "user", "content": f"Call {name}.", "tool_calls": None},
            {"role": "assistant", "content": None, "tool_calls": [call]},
        ]
    }


table = pyarrow.Table.from_pylist([row("f", {"a": 1}), row("g", {"b": "z"})])
pyarrow.parquet.write_table(table, TARGET, compression="none", store_schema=False)
