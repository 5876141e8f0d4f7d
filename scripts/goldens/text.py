"""Makes test/fixtures/text: small tokenizers with the ids that Hugging Face's Rust tokenizers give on hard strings, BPE
merges from its trainer, and chats rendered by Transformers.

    pip install tokenizers transformers sentencepiece
    python scripts/goldens/text.py CORPUS.txt     # English text in the public domain, 100 kB or more (Tiny Shakespeare)
"""

import json
import os
import sys
import tempfile
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

OUT = Path(__file__).resolve().parents[2] / "test" / "fixtures" / "text"
CORPUS = Path(sys.argv[1]).read_text(encoding="utf-8")[:100_000]
BYTES = sorted(pre_tokenizers.ByteLevel.alphabet())

LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN2 = LLAMA3.replace("{1,3}", "")
O200K = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
    r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
DEEPSEEK = [
    r"\p{N}{1,3}",
    r"[一-龥぀-ゟ゠-ヿ]+",
    r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
]
BLOOM = r" ?[^(\s|[.,!?…。，、।۔،])]+"

STRINGS = [
    "Hello, world!",
    " leading and trailing  ",
    "\n\nTwo  spaces\tand a tab\r\n",
    "don't can't I'll we've 'sup DON'T WE'LL 'ſ",
    "12345 3.14159 1,000,000 ½ ² ١٢٣",
    "Rødgrød med fløde på Ærøskøbing",
    "¿Qué tal, señor? Ñandú",
    "na\u00efve caf\u00e9 cafe\u0301 \ufb01 ligature",
    "日本語のテキストと中文文本混合",
    "مرحبا بالعالم שלום",
    "🙂👩\u200d👩\u200d👧\u200d👦🏳️\u200d🌈 a😀b",
    "def f(x):\n    return x**2  # comment\n",
    "<|im_start|>user\nhi<|im_end|>",
    "<|endoftext|> inside text<think>x</think>",
    "</s> <s> <unk>",
    "a" * 60,
    "  " * 40 + "x",
    "^" * 60,
    "\u200b\u00a0\ufeff zero width \u0085\u0085x\u2028y\u3000z",
    "e\u0301\u0302\u0303 stacked A\u030a \u212b",
    "ALL CAPS AND CamelCaseWords HTTPServer",
    "x=1;y=2;//é\n\n\n   \n z",
    "\x00\x01\x1f control",
    "The year 2023 (MMXXIII) — em—dash… “quotes”",
    "What, art thou mad? Thou'rt the king's man; speak!",
    "[CLS] hello [SEP] ΑΣ ΣΑΣ",
    "",
]
# For the stages whose classes of characters are easily got wrong.
CLASSES = [
    "हिन्दी में लिखा हुआ वाक्य, क्षमा कीजिए।",
    "தமிழ் மொழி และภาษาไทย ಕನ್ನಡ",
    "می\u200cخواهم a\u200db क्\u200dष x\u200c y",
    "a½king king² kingking king\u0301 \U0001d552king kingé 9king king_ (king)king king\u200d",
    "A\u20dd e\u0488 x\u0903y \u00ad\u200e\u2028\ufeff\ue000\u0378 n\u0303o",
    "㐀 一 𠮷 豈 a丽b",
    "Ünïcödé ÀÉÎ Ελληνικά Ёжик İstanbul ẞtraße",
    "tab\there\r\nnew  \n\n  lines \u00a0\u2003\n end  ",
    "hello, wor.ld! it's $5+2^3=~`|<x>",
    "lower lowest newer new newest wide wider",
]


def byte_bpe(name, pre_tokenizer, normalizer=None, added=(), vocab_size=500, **model):
    """A byte-level BPE trained on the corpus, with added tokens behind the vocabulary."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizer
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    trainer = trainers.BpeTrainer(vocab_size=vocab_size, min_frequency=2, initial_alphabet=BYTES, show_progress=False)
    tokenizer.train_from_iterator(CORPUS.splitlines(keepends=True), trainer)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_tokens([token for token in added if not token.special])
    tokenizer.add_special_tokens([token for token in added if token.special])
    data = json.loads(tokenizer.to_str())
    data["model"].update(model)
    return name, data


def split(*patterns):
    stages = [pre_tokenizers.Split(Regex(pattern), "isolated") for pattern in patterns]
    return pre_tokenizers.Sequence([*stages, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def special(content, **flags):
    return AddedToken(content, special=True, normalized=False, **flags)


CHATML = [
    special("<|endoftext|>"),
    special("<|im_start|>"),
    special("<|im_end|>"),
    AddedToken("<think>", normalized=False),
    AddedToken("</think>", normalized=False),
]


def sentencepiece_bpe(name, legacy):
    """Llama 2's kind: byte fallback, `▁` for spaces, either by normalizers or by Metaspace."""
    vocab = {"<unk>": 0, "<s>": 1, "</s>": 2, **{f"<0x{byte:02X}>": 3 + byte for byte in range(256)}}
    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.Metaspace()
    trained.train_from_iterator(
        CORPUS.splitlines(), trainers.BpeTrainer(vocab_size=450, min_frequency=2, show_progress=False)
    )
    model = json.loads(trained.to_str())["model"]
    for token in model["vocab"]:
        vocab.setdefault(token, len(vocab))
    merges = [tuple(merge) for merge in model["merges"]]
    tokenizer = Tokenizer(models.BPE(vocab, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    if legacy:
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokenizer.add_special_tokens([special(token) for token in ("<unk>", "<s>", "</s>")])
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return name, json.loads(tokenizer.to_str())


def word_piece(name="wordpiece", normalizer=None):
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizer or normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trainer = trainers.WordPieceTrainer(vocab_size=500, special_tokens=names, show_progress=False)
    tokenizer.train_from_iterator(CORPUS.splitlines(), trainer)
    cls, sep = tokenizer.token_to_id("[CLS]"), tokenizer.token_to_id("[SEP]")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", cls), ("[SEP]", sep)]
    )
    tokenizer.decoder = decoders.WordPiece()
    return name, json.loads(tokenizer.to_str())


def charsmap():
    """A small table of SentencePiece replacements, compiled by SentencePiece itself."""
    import sentencepiece
    from sentencepiece import sentencepiece_model_pb2

    rules = {
        "\ufb01": "fi", "\u00bd": "1/2", "\u00b2": "2", "\u00a0": " ", "\u3000": " ", "\u2026": "...",
        "e\u0301": "\u00e9", "\u212b": "\u00c5", "A\u030a": "\u00c5", "\u200b": "",
    }
    with tempfile.TemporaryDirectory() as folder:
        lines = [
            "\t".join(" ".join(f"{ord(char):X}" for char in text) for text in rule) + "\n" for rule in rules.items()
        ]
        Path(folder, "rules.tsv").write_text("".join(lines))
        Path(folder, "corpus.txt").write_text(CORPUS)
        sentencepiece.SentencePieceTrainer.train(
            input=f"{folder}/corpus.txt", model_prefix=f"{folder}/m", vocab_size=400,
            normalization_rule_tsv=f"{folder}/rules.tsv", minloglevel=2,
        )
        proto = sentencepiece_model_pb2.ModelProto()
        proto.ParseFromString(Path(folder, "m.model").read_bytes())
    return proto.normalizer_spec.precompiled_charsmap


def unigram():
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Precompiled(charsmap())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=400, special_tokens=["<pad>", "</s>", "<unk>"], unk_token="<unk>", show_progress=False
    )
    tokenizer.train_from_iterator(CORPUS.splitlines(), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    tokenizer.decoder = decoders.Metaspace()
    return "unigram", json.loads(tokenizer.to_str())


def suffixed(name, pre_tokenizer, decoder, normalizer=None, **trained):
    """BPE whose vocabulary marks the ends of words, or what goes on with one."""
    affixes = {key: value for key, value in trained.items() if key in ("end_of_word_suffix", "continuing_subword_prefix")}
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", **affixes))
    tokenizer.pre_tokenizer = pre_tokenizer
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    trainer = trainers.BpeTrainer(
        vocab_size=420, min_frequency=2, special_tokens=["<unk>"], show_progress=False, **trained
    )
    tokenizer.train_from_iterator(CORPUS.splitlines(), trainer)
    tokenizer.decoder = decoder
    return name, json.loads(tokenizer.to_str())


def word_level():
    words = ["[UNK]", "[PAD]", "the", "king", "hello", ",", "a", "b", "_", "½", "में", "wor", "ld", "it", "'"]
    tokenizer = Tokenizer(models.WordLevel({word: index for index, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFD(), normalizers.StripAccents(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.add_tokens([AddedToken("king", single_word=True, normalized=False)])
    return "wordlevel", json.loads(tokenizer.to_str())


def cases(tokenizer):
    """Ids with control tokens read, without the frame, and with special tokens as text; decoded without skipping."""
    for text in [*STRINGS, *CLASSES]:
        tokenizer.encode_special_tokens = False
        ids = tokenizer.encode(text).ids
        bare = tokenizer.encode(text, add_special_tokens=False).ids
        tokenizer.encode_special_tokens = True
        plain = tokenizer.encode(text, add_special_tokens=False).ids
        yield {"text": text, "ids": ids, "bare": bare, "plain": plain, "decoded": tokenizer.decode(ids, skip_special_tokens=False)}


def write(name, value):
    OUT.mkdir(parents=True, exist_ok=True)
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"))
    (OUT / name).write_text(text + "\n", encoding="utf-8")
    print(name, len(text))


def tokenizers():
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False)
    digits = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), byte_level])
    falcon = pre_tokenizers.Sequence(
        [pre_tokenizers.Punctuation("contiguous"), byte_level, pre_tokenizers.Digits(False), pre_tokenizers.Split(Regex("[0-9][0-9][0-9]"), "isolated")]
    )
    yield byte_bpe("gpt2", byte_level, added=[special("<|endoftext|>")])
    yield byte_bpe("qwen2", split(QWEN2), normalizers.NFC(), CHATML)
    yield byte_bpe("llama3", split(LLAMA3), added=[special("<|endoftext|>", rstrip=True)], ignore_merges=True)
    yield byte_bpe("smollm", digits, added=CHATML)
    yield byte_bpe("o200k", split(O200K), added=CHATML, vocab_size=350)
    yield byte_bpe("deepseek", split(*DEEPSEEK), added=[AddedToken("<｜User｜>"), special("<｜end▁of▁sentence｜>")], vocab_size=350)
    yield byte_bpe("bloom", split(BLOOM), added=[special("</s>"), special("<s>", lstrip=True)], vocab_size=350)
    yield byte_bpe("falcon", falcon, vocab_size=350)
    yield byte_bpe("prefix-space", pre_tokenizers.ByteLevel(add_prefix_space=True), added=[AddedToken("king", single_word=True)], vocab_size=350)
    yield sentencepiece_bpe("llama2-legacy", True)
    yield sentencepiece_bpe("llama2-metaspace", False)
    yield word_piece()
    yield word_piece("bert-cased", normalizers.BertNormalizer(lowercase=False, strip_accents=True))
    yield unigram()
    lower = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    end = {"end_of_word_suffix": "</w>"}
    yield suffixed("openai-gpt", pre_tokenizers.BertPreTokenizer(), decoders.BPEDecoder(), lower, **end)
    yield suffixed("clip", byte_level, decoders.ByteLevel(), initial_alphabet=BYTES, **end)
    yield suffixed("bpe-prefix", pre_tokenizers.Whitespace(), decoders.WordPiece(), continuing_subword_prefix="##")
    yield word_level()
    lengths = pre_tokenizers.Sequence([pre_tokenizers.FixedLength(4), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    yield byte_bpe("fixed-length", lengths, vocab_size=350)
    yield byte_bpe("deepseek-llm", split(r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", r"\s+$", "[一-龥ࠀ-一가-퟿]+", r"\w+"), vocab_size=350)


def bpe_training():
    for name, pre_tokenizer in (("gpt-2", pre_tokenizers.ByteLevel(add_prefix_space=False)), ("llama-bpe", split(LLAMA3))):
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizer
        trainer = trainers.BpeTrainer(
            vocab_size=900, min_frequency=2, initial_alphabet=BYTES, special_tokens=["<|endoftext|>"], show_progress=False
        )
        tokenizer.train_from_iterator([CORPUS[:60_000]], trainer)
        yield name, [" ".join(merge) for merge in json.loads(tokenizer.to_str())["model"]["merges"]]


TEMPLATES = {
    "chatml": "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}",
    "llama2": "{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}{% set system_message = messages[0]['content'] %}{% else %}{% set loop_messages = messages %}{% set system_message = false %}{% endif %}{% for message in loop_messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}{% if loop.index0 == 0 and system_message != false %}{% set content = '<<SYS>>\n' + system_message + '\n<</SYS>>\n\n' + message['content'] %}{% else %}{% set content = message['content'] %}{% endif %}{% if message['role'] == 'user' %}{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}{% elif message['role'] == 'assistant' %}{{ ' ' + content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}",
    "header": "{{- bos_token }}\n{%- for message in messages %}\n    {{- '<|start|>' + message.role + '<|header|>\\n\\n' + message.content | trim + '<|end|>' }}\n{%- endfor %}\n{%- if add_generation_prompt %}\n    {{- '<|start|>assistant<|header|>\\n\\n' }}\n{%- endif %}\n",
    "think": "{%- set ns = namespace(last=-1) %}\n{%- for message in messages[::-1] %}\n    {%- set index = (messages|length - 1) - loop.index0 %}\n    {%- if ns.last < 0 and message.role == 'user' %}\n        {%- set ns.last = index %}\n    {%- endif %}\n{%- endfor %}\n{%- for message in messages %}\n    {%- if message.role == 'assistant' %}\n        {%- set content = message.content %}\n        {%- set reasoning = '' %}\n        {%- if '</think>' in content %}\n            {%- set reasoning = content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}\n            {%- set content = content.split('</think>')[-1].lstrip('\\n') %}\n        {%- endif %}\n        {%- if loop.index0 > ns.last and reasoning %}\n            {{- '<|im_start|>assistant\\n<think>\\n' + reasoning + '\\n</think>\\n\\n' + content }}\n        {%- else %}\n            {{- '<|im_start|>assistant\\n' + content }}\n        {%- endif %}\n        {{- '<|im_end|>\\n' }}\n    {%- else %}\n        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}\n    {%- endif %}\n{%- endfor %}\n{%- if add_generation_prompt %}\n    {{- '<|im_start|>assistant\\n' }}\n    {%- if enable_thinking is defined and enable_thinking is false %}\n        {{- '<think>\\n\\n</think>\\n\\n' }}\n    {%- endif %}\n{%- endif %}",
    "tools": "{%- if tools %}{{- '<|im_start|>system\\n' }}{%- for tool in tools %}{{- tool | tojson }}{{- '\\n' }}{%- endfor %}{{- '<|im_end|>\\n' }}{%- endif %}{%- for message in messages %}{{- '<|im_start|>' + message.role + '\\n' }}{%- if message.content is string %}{{- message.content }}{%- elif message.content %}{%- for part in message.content %}{%- if part.type == 'text' %}{{- part.text }}{%- endif %}{%- endfor %}{%- endif %}{%- for call in message.tool_calls or [] %}{{- '<tool_call>' }}{{- call.function | tojson(indent=2) }}{{- '</tool_call>' }}{%- endfor %}{{- '<|im_end|>\\n' }}{%- endfor %}",
    "loopcontrols": "{%- for message in messages %}{%- if message.role == 'system' %}{%- continue %}{%- endif %}{{- message.role ~ ': ' }}{%- generation %}{{- message.content }}{%- endgeneration %}{%- if message.content == 'stop' %}{{- '!' }}{%- break %}{%- endif %}{{- '\\n' }}{%- endfor %}",
    "macro": "{%- macro turn(role, text='none') -%}\n<{{ role }}>{{ text | upper | replace('A', 'B') }}</{{ role }}>\n{%- endmacro -%}\n{%- for message in messages | selectattr('role', 'equalto', 'user') | list -%}\n{{ turn(message.role, message.content) }}{{ '%s' if false else loop.index }}{{ ',' if not loop.last }}\n{%- endfor -%}\n{{ messages | map(attribute='role') | join('|') }}{{ messages[-1].content[:3] }}{{ ['b', 'a'] | sort | join }}{{ {'k': [1, 2.5, none, true, 'é']} | tojson }}",
}

CHATS = [
    {"messages": [{"role": "user", "content": "Hvad hedder du?"}]},
    {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": " 2+2? "}, {"role": "assistant", "content": "4"}, {"role": "user", "content": "and 3+3?"}]},
    {"messages": [{"role": "user", "content": "user"}, {"role": "assistant", "content": "<think>\nhm\n</think>\n\nassistant"}, {"role": "user", "content": "stop"}, {"role": "assistant", "content": "<think>\nok\n</think>\n\nbye \"now\" & <b>\\n</b>"}]},
    {"messages": [{"role": "user", "content": "日本 🙂\n\n\tx"}, {"role": "assistant", "content": ""}], "variables": {"enable_thinking": False}},
    {"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}, {"role": "assistant", "content": None, "tool_calls": [{"type": "function", "function": {"name": "add", "arguments": {"a": 1, "b": [2.5, "é", {}]}}}]}], "tools": [{"type": "function", "function": {"name": "add", "parameters": {"type": "object", "properties": {"a": {"type": "number"}}, "required": ["a"]}}}]},
]


def chats():
    from transformers.utils.chat_template_utils import render_jinja_template

    for name, template in TEMPLATES.items():
        for index, chat in enumerate(CHATS):
            if isinstance(chat["messages"][0]["content"], list) and name != "tools":
                continue  # printing a list as text is Python's own
            for prompt in (False, True):
                try:
                    rendered, _ = render_jinja_template(
                        conversations=[chat["messages"]], tools=chat.get("tools"), chat_template=template,
                        add_generation_prompt=prompt, bos_token="<s>", eos_token="</s>", **chat.get("variables", {}),
                    )
                except Exception:  # some templates refuse some chats
                    continue
                yield {"template": name, "chat": index, "prompt": prompt, "text": rendered[0]}


if __name__ == "__main__":
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    for name, data in tokenizers():
        write(f"tokenizer-{name}.json", {"tokenizer": data, "cases": list(cases(Tokenizer.from_str(json.dumps(data))))})
    write("bpe-training.json", {"text": CORPUS[:60_000], "vocabSize": 900, "merges": dict(bpe_training())})
    write("chats.json", {"templates": TEMPLATES, "chats": CHATS, "cases": list(chats())})
