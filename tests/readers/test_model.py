import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from interp_embed.errors import InputError
from interp_embed.readers import ModelReader

TEXTS = [
    "The soup was cold.",
    "Waves crash on the shore while gulls cry overhead. " * 9,
    "ok then",
    "😀 שלום cafe\u0301",
    "The host was rude; nobody apologised. " * 3,
]


@pytest.mark.parametrize("family", ["llama", "gpt2", "gemma3", "bert"])
def test_results_do_not_depend_on_what_is_batched_together(saved, load, read_all, family):
    _, together, counted, _ = read_all(load(saved(family), token_budget=4096), TEXTS)
    _, alone, counted_alone, batches = read_all(load(saved(family), token_budget=1), TEXTS)

    assert len(batches) > len(TEXTS)
    assert counted == counted_alone
    for one, other in zip(together, alone, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_every_token_comes_once_in_order_and_documents_finish(saved, load, read_all):
    tokenized, _, counted, batches = read_all(load(saved("llama"), token_budget=70), TEXTS)

    finished = [document for batch in batches for document in batch.finished]
    assert sorted(finished) == list(range(len(TEXTS)))
    for document, tokens in enumerate(tokenized):
        positions = [batch.position[batch.document == document] for batch in batches]
        assert np.concatenate(positions).tolist() == list(range(len(tokens.token_ids)))
        last = max(i for i, own in enumerate(positions) if len(own))
        assert document in batches[last].finished
        assert None not in counted[document]


@pytest.mark.parametrize("family", ["llama", "bert"])
def test_a_long_document_is_read_in_pieces_each_wrapped(saved, load, read_all, family):
    text = "The soup was cold. " * 1500
    reader = load(saved(family), context_size=50)

    (tokens,), (hidden,), (counted,), _ = read_all(reader, [text])

    assert len(tokens.token_ids) > 6000
    assert all(counted)
    wrapping = reader.rules.wrapping
    room = 50 - len(wrapping.prefix) - len(wrapping.suffix)
    n = -(-len(tokens.token_ids) // -(-len(tokens.token_ids) // room))  # tokens of the first piece
    ids = [*wrapping.prefix, *tokens.token_ids[:n].tolist(), *wrapping.suffix]
    first = reader._model.run([np.array(ids, dtype=np.int32)])[0]
    begin = len(wrapping.prefix)
    torch.testing.assert_close(hidden[:n], first[begin : begin + n], rtol=1e-4, atol=1e-5)


def test_hidden_states_can_be_changed_in_place(saved, load):
    reader = load(saved("llama"))

    batch = next(reader.iter_hidden([reader.tokenize(TEXTS[0])]))

    batch.hidden.mul_(2.0)  # inference tensors would refuse


def test_bos_is_fed_and_not_counted(saved, load, read_all):
    with_bos, without = load(saved("llama")), load(saved("llama"), prepend_bos=False)

    _, (hidden,), (counted,), _ = read_all(with_bos, TEXTS[:1])
    _, (other,), (counted_without,), _ = read_all(without, TEXTS[:1])

    assert with_bos.rules.wrapping.prefix == (0,)
    assert all(counted)
    # Without a BOS, the first token of the text is the one that takes the sink.
    assert counted_without == [False] + [True] * (len(counted) - 1)
    assert not torch.allclose(hidden[1], other[1])


def test_a_tokenizer_without_bos_or_pad_works(saved, load, read_all):
    reader = load(saved("qwen3", bos=False))

    _, hidden, _, _ = read_all(reader, TEXTS)

    assert reader.rules.wrapping.prefix == ()
    assert all(torch.isfinite(one).all() for one in hidden)
    with pytest.raises(InputError, match=r"prepend_bos=True, and the tokenizer has no"):
        load(saved("qwen3", bos=False), prepend_bos=True)


def test_a_document_of_only_skipped_tokens_is_refused(saved, load):
    reader = load(saved("qwen3", bos=False))

    with pytest.raises(InputError, match=r"no token that counts: it is 'a', 1 tokens, .*first 1 "):
        reader.tokenize("a")
    assert load(saved("qwen3", bos=False), skip_first=0).tokenize("a").counted.all()


def test_attention_sinks_do_not_count(saved, load, read_all, tmp_path):
    import shutil

    shutil.copytree(saved("llama"), tmp_path / "m")
    path = tmp_path / "m" / "model.safetensors"
    weights = load_file(path)
    semicolon = load(saved("llama")).tokenize("a;").token_ids[1]
    weights["model.embed_tokens.weight"][semicolon] *= 1000
    save_file(weights, path, {"format": "pt"})
    reader = load(tmp_path / "m", layer=0)

    (tokens,), _, (counted,), _ = read_all(reader, ["cold; rude; host"])
    _, _, (all_count,), _ = read_all(load(tmp_path / "m", max_norm_ratio=None), ["cold; rude; x"])

    assert counted == [token != semicolon for token in tokens.token_ids]
    assert all(all_count)


def test_centring_subtracts_the_mean(saved, load, read_all):
    _, (plain,), _, _ = read_all(load(saved("gpt2")), TEXTS[:1])
    _, (centred,), _, _ = read_all(load(saved("gpt2"), center=True), TEXTS[:1])

    torch.testing.assert_close(centred, plain - plain.mean(1, keepdim=True), rtol=1e-4, atol=1e-5)


def test_chats_and_wrapped_texts_are_read_through_the_template(
    saved, load, read_all, llama_template
):
    folder = saved("llama", chat_template=llama_template)
    chat = [{"role": "user", "content": "Is it?"}, {"role": "assistant", "content": TEXTS[0]}]
    as_answer = load(folder, chat="assistant", context_size=60)
    as_text = load(folder, context_size=60)

    (wrapped, given), _, counted, _ = read_all(as_answer, [TEXTS[0], chat])

    assert wrapped.token_ids[0] == 0
    assert tuple(as_answer._prefix_of(wrapped.token_ids)) == ()  # not a second BOS
    assert wrapped.text == TEXTS[0]
    assert given.text == "Is it?\n" + TEXTS[0]
    n_content = len(as_text.tokenize(TEXTS[0]).token_ids)
    assert 0 < sum(counted[0]) <= n_content + 2
    assert len(wrapped.token_ids) > n_content + 20
    assert as_text.tokenize(np.array(chat, dtype=object)).text == given.text


def test_a_base_model_given_a_chat_is_refused_at_the_start(saved, load):
    with pytest.raises(InputError, match="no chat template"):
        load(saved("llama"), chat="assistant")
    with pytest.raises(InputError, match="no chat template"):
        load(saved("llama")).tokenize([{"role": "user", "content": "x"}])


def test_half_precision_is_close(saved, load, read_all):
    _, (exact,), _, _ = read_all(load(saved("llama")), TEXTS[:1])
    reader = load(saved("llama"), dtype="bfloat16")
    _, (half,), _, _ = read_all(reader, TEXTS[:1])

    assert reader.identity["dtype"] == "bfloat16"
    assert torch.nn.functional.cosine_similarity(exact, half).min() > 0.99


def test_identity_is_json_and_changes_with_what_changes_results(saved, load):
    folder = saved("llama")
    same = [load(folder).identity, load(folder, token_budget=9, threads=2).identity]
    others = [
        load(folder, **options).identity
        for options in (
            {"layer": 1}, {"site": "mlp_out"}, {"context_size": 20}, {"prepend_bos": False},
            {"skip_first": 3}, {"max_norm_ratio": None}, {"center": True}, {"roles": ["user"]},
            {"dtype": "bfloat16"},
        )
    ]  # fmt: skip
    others.append(load(saved("llama", bos=False)).identity)

    assert same[0] == same[1]
    texts = {json.dumps(identity, sort_keys=True) for identity in (*same, *others)}
    assert len(texts) == 1 + len(others)


def test_minilm_gives_the_hidden_states_of_the_full_model(minilm_folder, read_all):
    from transformers import AutoModel

    reader = ModelReader.load("minilm", layer=3, device="cpu", threads=1)
    (tokens, _), (hidden, _), _, _ = read_all(reader, [TEXTS[0], TEXTS[1]])

    model = AutoModel.from_pretrained(minilm_folder, attn_implementation="eager").eval()
    ids = torch.tensor([[101, *tokens.token_ids.tolist(), 102]])
    with torch.no_grad():
        full = model(ids, output_hidden_states=True).hidden_states[4][0, 1:-1]
    torch.testing.assert_close(hidden, full, rtol=1e-4, atol=1e-5)
    assert reader.d_in == 384


@pytest.mark.parametrize("name", ["stories260K", "babyllama-tok105"])
def test_small_trained_models_run_end_to_end(real_models, read_all, name):
    from transformers import AutoModel

    reader = ModelReader.load(str(real_models / name), layer=2, device="cpu", threads=1)
    story = "Once upon a time there was a dog who lost his red ball. "
    (tokens, _), (hidden, _), counted, _ = read_all(reader, [story, story * 40])

    ids = torch.tensor([[1, *tokens.token_ids.tolist()]])
    with torch.no_grad():
        model = AutoModel.from_pretrained(real_models / name).eval()
        full = model(ids, output_hidden_states=True).hidden_states[3][0, 1:]
    torch.testing.assert_close(hidden, full, rtol=1e-4, atol=1e-4)
    assert np.mean(counted[1]) > 0.9


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"site": "resid_mid"}, "site must be one of resid_post, resid_pre"),
        ({"dtype": "int8"}, "dtype must be one of auto, float32"),
        ({"chat": "wrap"}, "chat must be one of auto, user, assistant"),
        ({"roles": "user"}, r"roles must be a list such as \['assistant'\]"),
        ({"context_size": 1}, "context_size must be from 2 to 64"),
        ({"context_size": 65}, "context_size must be from 2 to 64"),
        ({"token_budget": 0}, "token_budget must be at least 1"),
        ({"skip_first": -1}, "skip_first must be at least 0"),
        ({"max_norm_ratio": 1.0}, "max_norm_ratio must be above 1"),
        ({"threads": 0}, "threads must be at least 1"),
    ],
)
def test_options_out_of_range_are_named(saved, load, options, message):
    with pytest.raises(InputError, match=message):
        load(saved("llama"), **options)


def test_prepend_bos_is_not_for_encoders(saved, load):
    with pytest.raises(InputError, match="prepend_bos is for causal models"):
        load(saved("bert"), prepend_bos=False)


@pytest.mark.parametrize("document", [None, float("nan"), 3, "", "  ", {"role": "user"}, []])
def test_documents_that_are_not_text_are_refused(saved, load, document):
    with pytest.raises(InputError, match=r"not text|is empty|white space|no messages"):
        load(saved("llama")).tokenize(document)


def test_a_full_gpu_halves_the_batches_and_goes_on(saved, load, read_all, monkeypatch, caplog):
    reader = load(saved("llama"), token_budget=4096)
    _, expected, _, _ = read_all(reader, TEXTS)
    run = reader._model.run

    def small_gpu(rows):
        if len(rows) > 2:
            raise torch.cuda.OutOfMemoryError("full")
        return run(rows)

    monkeypatch.setattr(reader._model, "run", small_gpu)
    _, hidden, _, batches = read_all(reader, TEXTS)

    assert len(batches) > 1
    assert "GPU memory is full" in caplog.text
    for one, other in zip(hidden, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_one_piece_that_does_not_fit_says_what_to_do(saved, load, monkeypatch):
    reader = load(saved("llama"))

    def no_gpu(rows):
        raise torch.cuda.OutOfMemoryError("full")

    monkeypatch.setattr(reader._model, "run", no_gpu)
    with pytest.raises(InputError, match="does not fit into GPU memory; use a smaller"):
        list(reader.iter_hidden([reader.tokenize("The soup")]))


def test_nothing_to_read_gives_nothing(saved, load):
    assert list(load(saved("llama")).iter_hidden([])) == []
