import pytest

from interp_embed.embedders import OpenAIEmbedder, TfidfEmbedder, load_embedder
from interp_embed.embedders.names import document_prompt
from interp_embed.errors import InputError


def test_words_name_embedders(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "k")

    assert isinstance(load_embedder("tfidf", n_components=3), TfidfEmbedder)
    openai = load_embedder("openai:text-embedding-3-small", dimensions=5)
    assert isinstance(openai, OpenAIEmbedder)
    assert openai.identity["model"] == "text-embedding-3-small"


def test_minilm_has_several_names(minilm):
    for name in ("minilm", "all-MiniLM-L6-v2", "sentence-transformers/all-MiniLM-L6-v2"):
        assert load_embedder(name, precision="float32").identity == minilm.identity


@pytest.mark.parametrize("spec", ["minilmm", "tf-idf", "openai", ""])
def test_an_unknown_word_lists_what_there_is(spec):
    with pytest.raises(InputError, match="minilm, all-MiniLM-L6-v2, tfidf, openai:MODEL"):
        load_embedder(spec)


def test_a_mistyped_word_is_answered_with_the_nearest():
    with pytest.raises(InputError, match="did you mean 'minilm'"):
        load_embedder("minlm")


def test_an_unknown_option_is_named():
    with pytest.raises(InputError, match=r"'tfidf' does not take .*'components'"):
        load_embedder("tfidf", components=3)


def test_a_missing_folder_is_not_looked_up_on_the_hub(tmp_path):
    with pytest.raises(InputError, match="there is no folder"):
        load_embedder(str(tmp_path / "gone"))


def test_prompts_are_found_by_model_whatever_the_case():
    assert document_prompt("nomic-ai/ModernBERT-embed-base") == "search_document: "
    assert document_prompt("all-MiniLM-L6-v2") == ""
