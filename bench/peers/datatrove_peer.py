"""datatrove's filters and MinHash on the documents of a JSONL file: datatrove_peer.py FILE SETTINGS.json WORDS MODE [FOLDER].

WORDS is `ours` (those of scripts/goldens/our_words.py, so that filters are compared and not tokenizers) or `own`
(datatrove's, which are spaCy's). SETTINGS has `language` (eng, dan, …), `fineweb2`, the thresholds of that preset by their names, and
`bad_words`, a JSON list of them.
MODE is `verdicts` (one JSON object per document), `--interactive` (seconds of processor time of each step, once per line of standard
input) or `pipeline` (all its stages from files to files in FOLDER, one worker; prints one JSON object).
"""

import hashlib
import importlib.metadata  # noqa: F401  (datatrove uses it without importing it)
import json
import resource
import sys
import tempfile
import time
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace

import regex
from datatrove.pipeline.dedup import minhash
from datatrove.pipeline.filters import c4_filters, fineweb_quality_filter, gopher_quality_filter, gopher_repetition_filter
from datatrove.utils.text import simplify_text

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts/goldens"))
import our_words  # noqa: E402

# What has been cut before, where cutting is to cost nothing.
FREE_WORDS, FREE_SENTENCES = {}, {}


@lru_cache(5)  # as datatrove's own
def words_of(text, language=None):
    return FREE_WORDS.get(text) or our_words.words_of(text)


@lru_cache(5)
def sentences_of(line, language=None):
    return FREE_SENTENCES.get(line) or our_words.sentences_of(line)


EACH = regex.compile(rf"([{our_words.UNSPACED}])")


class OurTokenizer:
    """Words of simplified text, for MinHash."""

    def word_tokenize(self, text):
        return EACH.sub(r" \1 ", text).split()


def use_our_words():
    our_words.give_our_words(words_of, sentences_of)
    minhash.load_word_tokenizer = lambda language: OurTokenizer()


def lines_of(file):
    lines = tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf8", delete=False)
    lines.write("\n".join(json.load(open(file, encoding="utf8"))))
    lines.close()
    return lines.name


def filters_of(language, fineweb2, bad_words):
    repetition, quality = gopher_repetition_filter.GopherRepetitionFilter, gopher_quality_filter.GopherQualityFilter
    c4, fineweb = c4_filters.C4QualityFilter, fineweb_quality_filter.FineWebQualityFilter
    # The lists lie on a server of somebody else's: the same one is given to both sides.
    c4_filters.cached_asset_path_or_download = lambda *_, **__: lines_of(bad_words)
    given = lambda *names: {name: fineweb2[name] for name in names}
    return dict(
        repetition=repetition(language=language),
        quality=quality(language=language),
        c4=c4(language=language),
        c4_paragraphs=c4_filters.C4ParagraphFilter(),
        bad_words=c4_filters.C4BadWordsFilter(),
        c4_fineweb=c4(language=language, filter_no_terminal_punct=False),
        fineweb=fineweb(language=language),
        fineweb2_repetition=repetition(
            language=language, dup_para_frac=0, dup_line_char_frac=0, dup_para_char_frac=0, **given("dup_line_frac", "top_n_grams", "dup_n_grams")
        ),
        fineweb2_quality=quality(
            language=language, **given("min_avg_word_length", "max_avg_word_length", "max_non_alpha_words_ratio", "stop_words")
        ),
        fineweb2_fineweb=fineweb(language=language, short_line_thr=999, **given("line_punct_thr", "char_duplicates_ratio", "new_line_ratio")),
    )


def verdict(filter_, text):
    document = SimpleNamespace(text=text, metadata={})
    try:
        result = filter_.filter(document)
    except ZeroDivisionError:
        return "ZeroDivisionError"
    if result is not True:
        return result[1]
    return None if document.text == text else hashlib.sha256(document.text.encode()).hexdigest()


def signature_of(step, text):
    shingles = step.get_shingles(text)
    if shingles.size == 0:
        return None
    return b"".join(x.to_bytes(8, "big") for bucket in step.get_signature(shingles) for x in bucket).hex()


def timed(work):
    begun = time.process_time()
    work()
    return time.process_time() - begun


def pipeline(file, folder, filters):
    """Files to files, as FineWeb is made: reader, filters, writer; signatures, buckets, clusters, filter; without languages and masks."""
    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.readers import JsonlReader
    from datatrove.pipeline.writers import JsonlWriter

    chain = [filters[name] for name in ("repetition", "quality", "c4_fineweb", "fineweb")]
    before = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    data = file.rsplit("/", 1)
    stages = [
        [JsonlReader(data[0], glob_pattern=data[1]), *chain, JsonlWriter(f"{folder}/filtered", compression=None)],
        [JsonlReader(f"{folder}/filtered"), minhash.MinhashDedupSignature(f"{folder}/signatures")],
        [minhash.MinhashDedupBuckets(f"{folder}/signatures", f"{folder}/buckets")],
        [minhash.MinhashDedupCluster(f"{folder}/buckets", f"{folder}/remove")],
        [JsonlReader(f"{folder}/filtered"), minhash.MinhashDedupFilter(f"{folder}/remove"), JsonlWriter(f"{folder}/out", compression=None)],
    ]
    for i, steps in enumerate(stages):
        LocalPipelineExecutor(steps, tasks=14 if i == 2 else 1, workers=1, logging_dir=f"{folder}/logs/{i}").run()
    after = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    seconds = sum(b.ru_utime + b.ru_stime - a.ru_utime - a.ru_stime for a, b in zip(before, after))
    count = lambda name: sum(1 for _ in open(f"{folder}/{name}/00000.jsonl"))
    return dict(seconds=seconds, filtered=count("filtered"), kept=count("out"), peak_rss_mib=after[0].ru_maxrss / 1024)


def main():
    file, settings_file, words, mode = sys.argv[1:5]
    settings = json.load(open(settings_file))
    if words == "ours":
        use_our_words()
    filters = filters_of(settings["language"], settings["fineweb2"], settings["bad_words"])
    step = minhash.MinhashDedupSignature("/tmp", language=settings["language"])
    if mode == "pipeline":
        print(json.dumps(pipeline(file, sys.argv[5], filters)), flush=True)
        return
    texts = [json.loads(line)["text"] for line in open(file, encoding="utf8")]
    if mode == "verdicts":
        for text in texts:
            found = {name: verdict(filter_, text) for name, filter_ in filters.items()}
            print(json.dumps(dict(**found, simplified=hashlib.sha256(simplify_text(text).encode()).hexdigest(), signature=signature_of(step, text))))
        return
    chain = [filters[name] for name in ("repetition", "quality", "c4_fineweb", "fineweb")]

    def passes(text):
        document = SimpleNamespace(text=text, metadata={})
        return all(filter_.filter(document) is True for filter_ in chain) and document.text

    print(json.dumps(dict(ready=True)), flush=True)
    for _ in sys.stdin:
        for cache in (words_of, sentences_of):
            cache.cache_clear()
        FREE_WORDS.clear(), FREE_SENTENCES.clear()
        seconds = dict(
            filters=timed(lambda: [passes(text) for text in texts]),
            minhash=timed(lambda: [signature_of(step, text) for text in texts]),
            both=timed(lambda: [signature_of(step, kept) for kept in map(passes, texts) if kept]),
        )
        # Whatever cuts the words, it costs more than nothing: all that is asked for is there before the clock starts.
        for text in [*texts, *filter(None, map(passes, texts))]:
            FREE_WORDS[text] = our_words.words_of(text)
            FREE_SENTENCES.update((line.strip(), our_words.sentences_of(line.strip())) for line in text.splitlines())
        seconds["filters_with_words_for_nothing"] = timed(lambda: [passes(text) for text in texts])
        print(json.dumps(seconds), flush=True)


main()
