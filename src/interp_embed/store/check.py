"""Everything in a data set read again and compared with its digests."""

from collections.abc import Iterator

import numpy as np

from interp_embed._fingerprint import digest_texts
from interp_embed.errors import StoredFileError
from interp_embed.store.blocks import ShardReader
from interp_embed.store.documents import DocumentsReader
from interp_embed.store.records import Commit, Header
from interp_embed.store.shards import compute_stats, digest_shard


def check_documents(documents: DocumentsReader, header: Header) -> None:
    """Check that the texts are those the data set was made of.

    Raises:
        StoredFileError: They are not, or a file is damaged.
    """
    files = documents.files
    for part in documents.parts:
        files.check(part.name, part.size, whole=True)

    def iter_texts() -> Iterator[str]:
        for part in documents.parts:
            yield from documents.load_texts(range(part.first, part.first + part.n_documents))

    if digest_texts(iter_texts()) != header.documents_digest:
        raise StoredFileError(
            f"{files.location.describe('docs')}: the texts are not those the data set was made of"
        )


def check_shard(reader: ShardReader, documents: DocumentsReader, commit: Commit) -> None:
    """Check that a shard's arrays have the digest of its commit record.

    Raises:
        StoredFileError: They do not, or a file is damaged.
    """
    for name, size in commit.files.items():
        reader.files.check(name, size, whole=True)
    pooled = reader.read_pooled(commit)
    tokens = None if reader.header.tokens == "none" else reader.read_tokens(commit)
    texts = documents.load_texts(reader.header.rows_of(commit.shard))
    shard = f"shard {commit.shard} of {reader.files.location.describe()}"
    if digest_shard(digest_texts(texts), pooled, tokens) != commit.digest:
        raise StoredFileError(f"{shard} does not have the digest of its commit record")
    if sum(error is not None for error in pooled.errors) != commit.n_failed:
        raise StoredFileError(f"{shard} has another number of failed documents than its record")
    stored = reader.read_stats(commit)
    fresh = compute_stats(pooled, reader.header.n_features)
    for name in ("count", "total", "squares", "maximum"):
        if not np.allclose(getattr(stored, name), getattr(fresh, name), rtol=1e-9, atol=0):
            raise StoredFileError(f"the statistics ({name}) of {shard} are not those of its arrays")
