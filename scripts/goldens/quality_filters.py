"""Writes test/fixtures/curate/quality.json: what datatrove's filters say of texts, with our words and sentences given to them.

    PYTHONPATH=PATH/TO/datatrove/src python scripts/goldens/quality_filters.py      # datatrove a649de7 (0.10.0)

The words are those of our_words.py. The texts are drawn here.
"""

import json
import random
from pathlib import Path
from types import SimpleNamespace

from datatrove.pipeline.filters import c4_filters, fineweb_quality_filter, gopher_quality_filter, gopher_repetition_filter
from datatrove.utils.text import PUNCTUATION_SET
from our_words import give_our_words

TARGET = Path(__file__).resolve().parents[2] / "test/fixtures/curate/quality.json"
give_our_words()

draw = random.Random(5)
WORDS = "the be to of and that have with it was on in at which from model language house water year people work small green".split()
MORE = [a + b for a in "bo ka li mu ne pa ri so tu væ øl å".split() for b in "der ning tion sk st mer lig en et".split()]
ENDS = [".", ".", ".", "!", "?", "…", "...", "", ":", '."', "。", " [12]", " [edit]"]


def sentence(length, vocabulary):
    words = [draw.choice(vocabulary) for _ in range(length)]
    words[0] = words[0].capitalize()
    if draw.random() < 0.3:
        words.insert(draw.randrange(len(words)), draw.choice(["don't", "3,14", "U.S", "#", "-", "😀", "e\u0301t", "10", "x.y"]))
    return " ".join(words) + draw.choice(ENDS)


def document():
    vocabulary = draw.sample(WORDS, draw.choice([2, 6, 24])) + draw.sample(MORE, draw.choice([1, 10, 90]))
    lines = []
    for _ in range(draw.choice([1, 3, 8, 15])):
        kind = draw.random()
        if kind < 0.06:
            lines.append("")
        elif kind < 0.1:
            lines.append(draw.choice(["Please enable JavaScript.", "We use cookies here now.", "short.", "{ code }", "Lorem ipsum dolor sit amet."]))
        elif kind < 0.25:
            lines.append(draw.choice(["• ", "- ", " - "]) + sentence(draw.randrange(1, 9), vocabulary))
        elif kind < 0.4 and lines:
            lines.append(draw.choice(lines))
        else:
            lines.append(" ".join(sentence(draw.randrange(2, 20), vocabulary) for _ in range(draw.randrange(1, 5))))
    return draw.choice(["\n", "\n", "\n\n", "\r\n", "\u2028"]).join(lines) + draw.choice(["", "\n", " "])


def verdict(filter_, text):
    document = SimpleNamespace(text=text, metadata={})
    result = filter_.filter(document)
    reason = None if result is True else result[1]
    return dict(reason=reason, text=document.text) if document.text != text else dict(reason=reason)


FILTERS = dict(
    repetition=gopher_repetition_filter.GopherRepetitionFilter(),
    quality=gopher_quality_filter.GopherQualityFilter(),
    c4=c4_filters.C4QualityFilter(),
    c4_fineweb=c4_filters.C4QualityFilter(filter_no_terminal_punct=False),
    fineweb=fineweb_quality_filter.FineWebQualityFilter(),
)
cases, seen = [], {}
while len(cases) < 90 and draw.random() < 0.99999:
    text = document()
    if not any(c not in PUNCTUATION_SET and not c.isspace() for c in text):
        continue
    verdicts = {name: verdict(filter_, text) for name, filter_ in FILTERS.items()}
    # Every reason at least, none too often.
    keys = [(name, v["reason"]) for name, v in verdicts.items()]
    if min(seen.get(key, 0) for key in keys) > 3:
        continue
    for key in keys:
        seen[key] = seen.get(key, 0) + 1
    cases.append(dict(text=text, **verdicts))
print(sorted(seen.items(), key=str))
TARGET.write_text(json.dumps(cases, ensure_ascii=False, indent=0) + "\n")
