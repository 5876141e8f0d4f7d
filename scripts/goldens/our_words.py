"""Words and sentences as src/data/curate/text-view.ts cuts them, given to datatrove's filters, so that filters are compared and not tokenizers.

Used by quality_filters.py beside it and by bench/peers/datatrove_peer.py.
"""

import regex
from datatrove.pipeline.filters import c4_filters, fineweb_quality_filter, gopher_quality_filter, gopher_repetition_filter
from datatrove.utils.text import PUNCTUATION_SET, TERMINAL_PUNCTUATION

UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\p{Tibetan}"
L = rf"[\p{{L}}--[{UNSPACED}]]"
WORD = regex.compile(
    rf"(?V1)(?:{L}|\p{{N}}|[\p{{M}}--\p{{L}}]|(?<={L})['’](?={L})|(?<=[{L}\p{{N}}])\.(?=[{L}\p{{N}}])|(?<=\p{{N}}),(?=\p{{N}}))+|\.+|\S"
)


def words_of(text, language=None):
    return WORD.findall(text)


def sentences_of(line, language=None):
    """As many as spaCy's sentencizer would make of these words."""
    count, over = 0, False
    for word in words_of(line):
        symbol = all(c in PUNCTUATION_SET for c in word)
        if count == 0:
            count = 1
            over = len(word) == 1 and word in TERMINAL_PUNCTUATION
        elif over and not symbol:
            count, over = count + 1, False
        elif len(word) == 1 and word in TERMINAL_PUNCTUATION:
            over = True
    return [""] * count


def give_our_words(words=words_of, sentences=sentences_of):
    for module in (c4_filters, fineweb_quality_filter, gopher_quality_filter, gopher_repetition_filter):
        if hasattr(module, "split_into_words"):
            module.split_into_words = words
        if hasattr(module, "split_into_sentences"):
            module.split_into_sentences = sentences
