"""Writes src/data/curate/fineweb2-languages.gen.ts: FineWeb2's thresholds and stop words of languages, from its configuration files.

    python scripts/goldens/fineweb2_languages.py PATH/TO/fineweb-2/configs
"""

import json
import sys
from pathlib import Path

import yaml

TARGET = Path(__file__).resolve().parents[2] / "src/data/curate/fineweb2-languages.gen.ts"
CODES = """dan nob nno swe isl fao fin ekk lvs lit deu nld ltz fry gsw nds afr fra spa por ita cat glg oci eus ron pol ces slk slv hrv hun
cym gle gla bre mlt als tur ind swh""".split()
KEYS = ["dup_line_frac", "min_avg_word_length", "max_avg_word_length", "max_non_alpha_words_ratio", "line_punct_thr", "new_line_ratio"]

lines = []
for code in sorted(CODES):
    path = Path(sys.argv[1]) / f"{code}_Latn.yml"
    if not path.exists():
        print("absent:", code)
        continue
    config = yaml.safe_load(path.read_text())
    grams = [pair[1] for pair in config["top_n_grams"] + config["dup_n_grams"]]
    numbers = json.dumps([config[key] for key in KEYS])
    words = " ".join(str(word) for word in config["stopwords"]).replace("'", "\\'")
    lines.append(f"  {code}: [{numbers}, {json.dumps(grams)}, '{words}'],\n")
TARGET.write_text(
    "// What FineWeb2 (Penedo et al. 2025; its configs, Apache-2.0) holds for languages: chosen per language, so that the stop words are its own.\n"
    "// Made by scripts/goldens/fineweb2_languages.py.\n\n"
    "/** " + ", ".join(KEYS) + "; shares for the top 2-, 3-, 4-gram and repeated 5- to 10-grams; stop words. */\n"
    "export type LanguageRow = readonly [thresholds: readonly number[], grams: readonly number[], stopWords: string]\n\n"
    "/** By ISO 639-3 code. */\n"
    "export const FINEWEB2_LANGUAGES: Readonly<Record<string, LanguageRow>> = {\n" + "".join(lines) + "}\n"
)
