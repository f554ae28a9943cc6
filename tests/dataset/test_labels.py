import pytest

from interp_embed import Dataset
from interp_embed.dataset import labels
from interp_embed.errors import InputError
from interp_embed.interpret.premade import PremadeLabels
from interp_embed.records import Label
from interp_embed.sae import BoundSAE, GoodfireSAE, LocalSAE


class WithLabels(BoundSAE):
    label_source = "neuronpedia:tiny/1-res"


@pytest.fixture
def dataset(documents, tiny_sae):
    sae = WithLabels()
    sae._source, sae._weights = tiny_sae.source, tiny_sae.weights
    return Dataset(documents, sae, feature_labels={1: "mine"}, progress=False)


def test_premade_labels_are_fetched_once_and_ours_come_first(dataset, monkeypatch):
    asked = []

    def fetch(source, *, n_features):
        asked.append((source, n_features))
        made = {f: Label(f, f"theirs {f}", source, 0) for f in (1, 2)}
        return PremadeLabels(made, {}, source, "CC0", "2026-01-01T00:00:00", 0)

    monkeypatch.setattr(labels, "load_premade_labels", fetch)

    for part in (dataset, dataset[1:]):
        assert part.feature_labels() == {1: "mine", 2: "theirs 2"}
    assert asked == [("neuronpedia:tiny/1-res", 40)]
    assert dataset.own_labels() == {1: "mine"}


def test_a_failed_download_is_said_and_is_not_an_empty_answer(dataset, monkeypatch):
    def fail(source, *, n_features):
        raise InputError(f"{source} could not be fetched")

    monkeypatch.setattr(labels, "load_premade_labels", fail)

    for _ in range(2):  # the next call tries again
        with pytest.warns(UserWarning, match="the pre-made labels could not be read: neuronped"):
            assert dataset.feature_labels() == {1: "mine"}


def test_where_labels_are_is_known_without_loading_a_model():
    gemma = LocalSAE("layer_20/width_16k/canonical", "gemma-scope-2b-pt-res-canonical")
    assert gemma.label_source == "neuronpedia:gemma-2-2b/20-gemmascope-res-16k"
    assert GoodfireSAE().label_source == (
        "hub:nickjiang/feature_labels/goodfire/meta-llama/Llama-3.1-8B-Instruct.json"
    )
    assert LocalSAE.default().label_source is None
    assert LocalSAE(None, "someone/their-sae").label_source is None
    assert not gemma.is_loaded()


def test_labels_need_two_documents_with_activations(tiny_sae):
    dataset = Dataset(["good soup", ""], tiny_sae, progress=False)
    with pytest.raises(InputError, match="at least two documents with activations, there are 1"):
        dataset.label_features()
    same = Dataset(["good soup", "Good soup!"], tiny_sae, progress=False)
    with pytest.raises(InputError, match="the 2 with activations are equal, or nearly"):
        same.label_features()


def test_copies_of_a_text_are_not_on_both_sides(tiny_sae, documents):
    texts = [text for text in documents for _ in range(6)]
    outcome = Dataset(texts, tiny_sae, progress=False).label_features()
    assert (outcome.n_label_documents, outcome.n_measure_documents) == (18, 12)
