"""Some documents of a data set as a data set of their own."""

from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from interp_embed.encode import documents_digest, rows_per_shard
from interp_embed.store import Store


def copy_documents(
    store: Store, rows: NDArray[np.int64], frame: pd.DataFrame, location: str
) -> Store:
    """Write documents of a store, in the order given, with their activations and labels.

    Args:
        store: Where they are.
        rows: Their numbers there, shape (n_documents,).
        frame: The table of these documents.
        location: Folder or URL of the new data set.

    Raises:
        StoredFileError: Another data set is there.
    """
    header = replace(
        store.header,
        n_documents=len(rows),
        rows_per_shard=rows_per_shard(len(rows), store.header.tokens),
        documents_digest=documents_digest(frame[store.header.text_field]),
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
