"""The predecessor's steps: run by an interpreter with sae-lens 6 and transformer-lens 3.

``python _predecessor_reader.py encode '{...}'`` prints one line of JSON last. The steps are those
of InterpEmbed 0.1.0, read and then written afresh: batches of 8 in file order, every hook of every
layer cached, a dense encode, one CSR matrix a document, its maximum and sum through a dense copy.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
from sae_lens import SAE
from scipy.sparse import csr_matrix, save_npz, vstack
from transformer_lens import HookedTransformer
from transformers import AutoTokenizer

from _memory import peak_mb

BATCH = 8


def encode(
    model: str, sae: str, hook: str, texts: str, out: str, warm_up: int
) -> dict[str, object]:
    """Encode all documents; a first few, not counted, warm up."""
    documents = json.loads(Path(texts).read_text())
    tokenizer = AutoTokenizer.from_pretrained(model)
    tokenizer.pad_token = tokenizer.eos_token
    reader = HookedTransformer.from_pretrained(model, device="cpu")
    autoencoder = SAE.load_from_disk(sae, device="cpu")

    @torch.no_grad()
    def run(batch: list[str]) -> list[csr_matrix]:
        tokens = tokenizer(batch, padding="longest", truncation=True, return_tensors="pt")
        _, cache = reader.run_with_cache(tokens["input_ids"], prepend_bos=True)
        dense = autoencoder.encode(cache[hook]).numpy()
        mask = tokens["attention_mask"].numpy().astype(bool)
        return [csr_matrix(dense[i][mask[i]]) for i in range(len(batch))]

    run(documents[:warm_up])
    n_tokens, rows, aside = 0, [], 0.0
    before, begun = peak_mb(), time.process_time()
    for start in range(0, len(documents), BATCH):
        for matrix in run(documents[start : start + BATCH]):
            csr_matrix(matrix.toarray().max(axis=0))
            csr_matrix(matrix.toarray().sum(axis=0))
            n_tokens += matrix.shape[0]
            now = time.process_time()
            rows.append(csr_matrix(matrix[1:].max(axis=0)))  # without BOS, as ours: to compare
            aside += time.process_time() - now
    seconds = time.process_time() - begun - aside
    save_npz(out, vstack(rows).astype(np.float32))
    return {"seconds": seconds, "tokens": n_tokens, "before_mb": before, "peak_mb": peak_mb()}


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(json.dumps({"encode": encode}[sys.argv[1]](**json.loads(sys.argv[2]))))
