"""Makes src/text/stages/rust-tables.ts: what the Rust tokenizers take for punctuation and for accents. Their tables are of Unicode 8, and
JavaScript's move on with every release.

    python scripts/goldens/unicode_tables.py     # tokenizers 0.23
"""

from pathlib import Path

from tokenizers import normalizers, pre_tokenizers

OUT = Path(__file__).resolve().parents[2] / "src" / "text" / "stages" / "rust-tables.ts"
split = pre_tokenizers.BertPreTokenizer()
strip = normalizers.BertNormalizer(clean_text=False, handle_chinese_chars=False, strip_accents=True, lowercase=False)
points = [cp for cp in range(0x110000) if not 0xD800 <= cp < 0xE000]
punctuation = [cp for cp in points if [word for word, _ in split.pre_tokenize_str(f"a{chr(cp)}a")] == ["a", chr(cp), "a"]]
accents = [cp for cp in points if strip.normalize_str(chr(cp)) == ""]


def spelled(cps):
    """A character class."""
    ranges = []
    for cp in cps:
        if ranges and ranges[-1][1] == cp - 1:
            ranges[-1][1] = cp
        else:
            ranges.append([cp, cp])
    one = lambda cp: f"\\u{{{cp:x}}}" if cp > 0xFFFF else f"\\u{cp:04x}"
    return "[" + "".join(one(a) if a == b else one(a) + one(b) if b == a + 1 else f"{one(a)}-{one(b)}" for a, b in ranges) + "]"


def lines(name, doc, cps):
    text = spelled(cps)
    pieces, rest = [], text
    while rest:
        cut = len(rest) if len(rest) <= 100 else rest.rfind("\\", 0, 100)
        if cut < len(rest) and rest[cut - 1] == "-":
            cut = rest.rfind("\\", 0, cut)
        pieces.append(rest[:cut])
        rest = rest[cut:]
    body = " +\n".join(f"  String.raw`{piece}`" for piece in pieces)
    return f"/** {doc} */\n// biome-ignore format: a table\nexport const {name}: string =\n{body}\n"


OUT.write_text(
    "// What the Rust tokenizers take for punctuation and for accents, as character classes of a regular expression: their tables are of\n"
    "// Unicode 8, and JavaScript's move on with every release. Made by scripts/goldens/unicode_tables.py.\n\n"
    + lines("RUST_PUNCTUATION", "Isolated by BertPreTokenizer and Punctuation.", punctuation) + "\n"
    + lines("RUST_ACCENTS", "Marks that BertNormalizer takes out.", accents))
print(len(punctuation), len(accents), OUT.stat().st_size)
