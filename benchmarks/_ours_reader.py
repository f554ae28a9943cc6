"""Our side of ``encode.py``: one line of JSON last."""

import json
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
import torch
from scipy.sparse import save_npz

from _memory import peak_mb
from interp_embed.encode import ReaderEncoder, encode_dataset, plan_dataset
from interp_embed.readers import ModelReader
from interp_embed.sae import load_pretrained_sae
from interp_embed.store import Store


def encode(
    model: str, sae: str, layer: int, texts: str, out: str, warm_up: int, tokens: str, dtype: str
) -> dict[str, object]:
    """Encode all documents into a store; a first few, not counted, warm up."""
    documents = json.loads(Path(texts).read_text())
    reader = ModelReader.load(model, layer=layer, dtype=dtype, max_norm_ratio=None, skip_first=0)
    encoder = ReaderEncoder(reader, load_pretrained_sae(sae, dtype=dtype))
    encoder.encode(documents[:warm_up], tokens=tokens)
    frame = pd.DataFrame({"text": documents})
    before, begun = peak_mb(), time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        header = plan_dataset(frame, "text", encoder, tokens=tokens)
        store = Store.create(Path(folder) / "data", header, frame)
        encode_dataset(store, encoder, progress=False)
        seconds = time.process_time() - begun
        peak = peak_mb()
        n_tokens = int(store.load_counted().sum())
        save_npz(out, store.load_csr())
    return {"seconds": seconds, "tokens": n_tokens, "before_mb": before, "peak_mb": peak}


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(json.dumps({"encode": encode}[sys.argv[1]](**json.loads(sys.argv[2]))))
