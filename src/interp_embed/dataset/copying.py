"""Some documents of a data set as a data set of their own."""

from dataclasses import replace

import numpy as np

from interp_embed.dataset.contents import Contents
from interp_embed.encode import rows_per_shard
from interp_embed.errors import InputError
from interp_embed.store import Store, documents_digest


def copy_documents(contents: Contents, location: str) -> Store:
    """Write documents, in their order, with their activations and labels, as a store of their own.

    Args:
        contents: The documents.
        location: Folder or URL of the new data set.

    Raises:
        InputError: There are none, or some are not encoded yet.
        StoredFileError: Another data set is there.
    """
    if not len(contents):
        raise InputError("there are no documents to write")
    store, rows, frame = contents.store, contents.rows, contents.frame
    header = replace(
        store.header,
        n_documents=len(rows),
        rows_per_shard=rows_per_shard(len(rows), store.header.tokens),
        documents_digest=documents_digest(frame[contents.field]),
    )
    copied = Store.create(location, header, frame)
    for shard in copied.missing():
        chosen = rows[np.asarray(header.rows_of(shard), np.int64)]
        pooled = store.load_pooled(chosen)
        tokens = None if header.tokens == "none" else store.load_tokens(chosen)
        copied.write_shard(shard, pooled, tokens)
    for name in store.label_names():
        labels = store.labels(name)
        copied.append_labels(name, [stored.label for stored in labels.values()])
    return copied
