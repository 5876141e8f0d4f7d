"""The same rates for Hugging Face's Rust tokenizers through its Python binding: tokenizers_peer.py FILE VOCAB; prints one JSON object."""

import json
import os
import re
import sys
import time

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

text = open(sys.argv[1], encoding="utf8").read()
megabytes = len(text.encode()) / 1e6
documents = re.findall(r"[\s\S]{1,4000}(?:\n|$)", text)


def timed(work):
    begun = time.perf_counter()
    result = work()
    return result, megabytes / (time.perf_counter() - begun)


tokenizer = Tokenizer(models.BPE())
tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
tokenizer.decoder = decoders.ByteLevel()
trainer = trainers.BpeTrainer(vocab_size=int(sys.argv[2]), min_frequency=2, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
_, train = timed(lambda: tokenizer.train_from_iterator(documents, trainer))
encoded, single = timed(lambda: [tokenizer.encode(document) for document in documents])
_, batch = timed(lambda: tokenizer.encode_batch(documents))
_, decode = timed(lambda: [tokenizer.decode(e.ids) for e in encoded])
print(json.dumps(dict(megabytes=megabytes, tokens=sum(len(e.ids) for e in encoded), threads=os.cpu_count(), train_mb_per_s=train,
                      encode_mb_per_s=single, encode_batch_mb_per_s=batch, decode_mb_per_s=decode)))
