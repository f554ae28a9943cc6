"""Notes of two sides whose words differ, as a data set without a model; and who answers of them."""

import json
import re

import numpy as np
import pandas as pd

from interp_embed.records import Label
from interp_embed.store import Header, PooledShard, Store, documents_digest

WORDS = ("umbrella", "violin", "pepper", "velvet", "ladder", "harbour", "candle", "meadow")
NEW = np.array([0.6, 0.6, 0.1, 0.3, 0.3, 0.3, 0.3, 0.3])
OLD = np.array([0.2, 0.2, 0.55, 0.3, 0.3, 0.3, 0.3, 0.3])
DIFFERENT = {"umbrella", "violin", "pepper"}


def write_notes(folder, *, n=120, labels=None, rates=(NEW, OLD)):
    """Write n notes of each side: feature i fires where word i stands, but for one in twenty."""
    rng = np.random.default_rng(0)
    truth = np.concatenate([rng.random((n, len(WORDS))) < side for side in rates])
    texts = [f"note {i} " + " ".join(np.array(WORDS)[has]) for i, has in enumerate(truth)]
    half = np.arange(2 * n) % 2
    frame = pd.DataFrame({"text": texts, "side": np.repeat(["new", "old"], n), "half": half})
    header = Header(
        n_documents=2 * n, n_features=len(WORDS), rows_per_shard=2 * n, text_field="text",
        documents_digest=documents_digest(texts), tokens="none",
        source={"kind": "reader", "made": "by hand"},
    )  # fmt: skip
    store = Store.create(folder, header, frame)
    rows, features = np.nonzero(truth & (rng.random(truth.shape) < 0.95))
    values = np.round(1 + rng.random(len(rows)), 2).astype(np.float32)
    pooled = PooledShard(
        start=np.searchsorted(rows, np.arange(2 * n + 1)).astype(np.int64),
        feature=features.astype(np.int32),
        maximum=values,
        total=values,
        count=np.ones(len(rows), np.int32),
        peak=np.full(len(rows), -1, np.int32),
        n_counted=np.array([len(text.split()) for text in texts], np.int32),
        errors=(None,) * (2 * n),
    )
    store.write_shard(0, pooled, None)
    if labels:
        made = [Label(feature, text, "given", 0) for feature, text in labels.items()]
        store.append_labels("features", made)
    return folder


def answer_about_notes(said):
    """Return what a good language model says to the last turn of any prompt."""
    if "PROPERTIES:" in said:
        listed = re.findall(r"(?m)^\d+[.:)] *(.*?) \(A", said)
        return json.dumps({"concepts": listed[: int(re.search(r"at most (\d+)", said)[1])]})
    if "GROUP A:" in said:
        one, other = said.split("GROUP A:")[1].split("GROUP B:")
        gains = {word: one.count(word) - other.count(word) for word in WORDS}
        best = sorted(gains, key=lambda word: -gains[word])[:3]
        return json.dumps({"concepts": [f"mentions a {word}" for word in best]})
    if "CLUSTER 1" in said:
        n = len(re.findall(r"(?m)^CLUSTER \d+", said))
        return json.dumps({"concepts": [f"mentions a {word}" for word in WORDS[:n]]})
    if "LABELS:" in said or "TEXTS:" in said:
        query, listed = re.split("LABELS:|TEXTS:", said)
        shown = re.findall(r"(?m)^(\d+)[.:)] (.*)$", listed)
        told = [int(i) for i, text in shown if any(w in text and w in query for w in WORDS)]
        return json.dumps({"numbers": told})
    if said.startswith("QUERY:"):
        return json.dumps({"concepts": [f"a {word}" for word in WORDS if word in said]})
    if "\nTEXT:\n" in said:
        concepts, text = said.split("\nTEXT:\n")
        asked = re.findall(r"(?m)^(c\d+): (.*)$", concepts)
        return json.dumps({key: concept.split()[-1] in text for key, concept in asked})
    texts = [part for part in re.split(r"(?m)^\d+[.:)] ", said) if "note" in part]
    half = len(texts) // 2
    gains = {
        w: sum(w in t for t in texts[:half]) - sum(w in t for t in texts[half:]) for w in WORDS
    }
    return json.dumps({"label": f"mentions a {max(gains, key=gains.__getitem__)}"})
