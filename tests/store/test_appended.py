import pytest

from interp_embed.errors import InputError
from interp_embed.records import Label
from interp_embed.store import Store, StoredAnnotation, StoredLabel


def label(feature, text, source="keywords"):
    return Label(feature, text, source, 10)


def test_the_latest_label_of_a_feature_wins(store):
    store.append_labels("mine", [label(3, "sea"), label(1, "bread")], {3: 0.5})
    store.append_labels("mine", [label(3, "the sea", "by hand")])

    assert Store.open(store.location).labels() == {
        1: StoredLabel(label(1, "bread"), None),
        3: StoredLabel(label(3, "the sea", "by hand"), None),
    }


def test_labels_under_several_names_are_kept_apart(store):
    assert store.labels() == {}
    store.append_labels("mine", [label(3, "sea")])
    store.append_labels("yours", [label(3, "water")])

    assert store.labels("yours")[3].label.text == "water"
    assert store.labels("nobody") == {}
    with pytest.raises(
        InputError, match=r"several sets of labels, name one of \['mine', 'yours'\]"
    ):
        store.labels()


def test_annotations_are_kept_by_document_concept_and_annotator(store):
    first = StoredAnnotation(0, "sea", "model", None, "no answer")
    retried = StoredAnnotation(0, "sea", "model", 1)
    other = StoredAnnotation(0, "sea", "person", 0, "it is a lake")
    store.append_annotations("study", [first, other])
    store.append_annotations("study", [retried])

    assert Store.open(store.location).annotations("study") == {
        (0, "sea", "model"): retried,
        (0, "sea", "person"): other,
    }


def test_two_handles_add_to_the_same_name(store):
    other = Store.open(store.location)
    for i in range(6):
        (store, other)[i % 2].append_labels("mine", [label(i, str(i))])

    assert list(store.labels("mine")) == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("name", ["", "..", "a/b", "../x", ".hidden", "a" * 65, "c:x"])
def test_names_that_are_no_folder_names_are_refused(store, name):
    with pytest.raises(InputError, match="name .* cannot be used"):
        store.append_labels(name, [])


def test_facts_that_cannot_be_are_refused(store):
    with pytest.raises(InputError, match="feature 40 is out of range"):
        store.append_labels("mine", [label(40, "x")])
    with pytest.raises(InputError, match="text must not be None"):
        store.append_labels("mine", [label(4, None)])
    with pytest.raises(InputError, match="a score must be a finite number"):
        store.append_labels("mine", [label(4, "x")], {4: float("nan")})
    with pytest.raises(InputError, match="document 25 is out of range"):
        store.append_annotations("mine", [StoredAnnotation(25, "sea", "me", 1)])
    with pytest.raises(InputError, match="a verdict is 1, 0 or None, got 2"):
        store.append_annotations("mine", [StoredAnnotation(2, "sea", "me", 2)])
    with pytest.raises(InputError, match="document 2: a missing verdict needs a reason"):
        store.append_annotations("mine", [StoredAnnotation(2, "sea", "me", None)])
    assert store.labels("mine") == {}
