"""Writes src/data/curate/minhash-constants.ts (made once) and test/fixtures/curate/minhash.json: signatures of texts.

    python scripts/goldens/minhash.py               # numpy 2.3, xxhash, regex

From the published formulas (Broder 1997; Carter and Wegman 1979) as FineWeb's reference implementation has them: 14 bands of 8 rows,
word 5-grams, xxHash64, (h a + b) mod 2^61 - 1 in unsigned 64 bits, whose product wraps first. The constants are what
numpy.random.RandomState(1) draws. Words are what spaces separate in the simplified text.
"""

import json
import unicodedata
from pathlib import Path

import numpy as np
import regex
import xxhash

ROOT = Path(__file__).resolve().parents[2]
PRIME = (1 << 61) - 1
BANDS, ROWS, N = 14, 8, 5
PUNCTUATION = "!/—”:％１〈&(、━\\【#%「」，】；+^]~“《„';’{|∶´[=-`*．（–？！：$～«〉,><》)?）。…@_.\"}►»" + "".join(
    chr(x) for a, b in ((0, 9), (11, 13), (13, 32), (127, 160)) for x in range(a, b)
)
TEXTS = [
    "The quick brown fox jumps over the lazy dog, and then the dog chases the fox away.",
    "Rødgrød med fløde på 25,5 kroner! Århus Æble: «smørrebrød» — og så videre…",
    "Straße, naïve café, coöperation; ≠ is not =, \u0130stanbul, ΣΊΣΥΦΟΣ and 1|2|3 in 2024-11-27",
    "one two three four five",
    "one two three",
    "a\tb\nc\r\nd\u00a0e\u2003f  g",
    "٣٫١٤ और १२३ рыба текст слово снова и снова и снова и снова",
    "word " * 40,
    "x" * 100 + " " + "y" * 31 + " " + "z" * 32 + " " + "w" * 33 + " end of the long words here",
]


def simplify(text):
    text = regex.sub(r"\p{Nd}+([.,،٫⎖⎗⎘]{1}\p{Nd}+)?", "0", text.lower())
    text = text.translate(str.maketrans(PUNCTUATION, " " * len(PUNCTUATION)))
    text = regex.sub(r"\s+", " ", text.strip())
    return "".join(c for c in unicodedata.normalize("NFD", text) if unicodedata.category(c) != "Mn").strip()


def constants():
    draw = np.random.RandomState(1)
    a = draw.randint(1, PRIME, dtype=np.uint64, size=(1, BANDS * ROWS))
    b = draw.randint(0, PRIME, dtype=np.uint64, size=(1, BANDS * ROWS))
    return a, b


def signature(text, a, b):
    words = simplify(text).split(" ")
    # A text of fewer words is one shingle.
    runs = [" ".join(words[i : i + N]) for i in range(max(1, len(words) - N + 1))]
    hashes = np.array([xxhash.xxh64_intdigest(run.encode()) for run in runs], dtype=np.uint64).reshape(-1, 1)
    return np.min((hashes * a + b) % np.uint64(PRIME), axis=0), hashes


def main():
    a, b = constants()
    lines = lambda row: "".join(f"  0x{int(x):016x}n,\n" for x in row.ravel())
    head = (
        "// What numpy.random.RandomState(1) draws for 112 permutations, a in [1, 2^61 − 1) and b in [0, 2^61 − 1): a table, so that nobody\n"
        "// has to have numpy's generator. Made by scripts/goldens/minhash.py.\n\n"
    )
    table = f"export const MULTIPLIERS: readonly bigint[] = [\n{lines(a)}]\n\nexport const ADDENDS: readonly bigint[] = [\n{lines(b)}]\n"
    (ROOT / "src/data/curate/minhash-constants.ts").write_text(head + table)
    cases = []
    for text in TEXTS:
        sig, hashes = signature(text, a, b)
        cases.append(
            dict(
                text=text,
                simplified=simplify(text),
                hashes=[f"{int(h):016x}" for h in hashes.ravel()[:3]],
                signature="".join(f"{int(x):016x}" for x in sig),
            )
        )
    target = ROOT / "test/fixtures/curate/minhash.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(cases, ensure_ascii=False, indent=1) + "\n")


main()
