"""A tiny random Llama with a random SAE, in real files; and what a language model would answer."""

import gc
import json
import re
import ssl
from collections import Counter

import numpy as np
import pytest

D_IN, N_FEATURES, LAYER = 16, 40, 1
WORDS = [
    "the",
    "soup",
    "was",
    "cold",
    "and",
    "waiter",
    "rude",
    "we",
    "waited",
    "long",
    "for",
    "a",
    "table",
    "lovely",
    "kind",
    "good",
]
TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}[{{ m['role'] }}] {{ m['content'] }} </s>{% endfor %}"
)


def pytest_collection():
    """The millions of objects that collecting makes are no garbage: do not look for any."""
    gc.disable()


def pytest_collection_finish():
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session", autouse=True)
def _own_cache_folder(tmp_path_factory):
    """What the library keeps between runs is not the user's, and starts empty."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INTERP_EMBED_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session", autouse=True)
def _one_root_certificate(tmp_path_factory, pytestconfig):
    """Servers of tests speak plain HTTP, and reading all certificates for each client is slow."""
    known = ssl.create_default_context().get_ca_certs(binary_form=True)
    if not known or "not network" not in pytestconfig.getoption("markexpr"):
        yield
        return
    file = tmp_path_factory.mktemp("certificates") / "one.pem"
    file.write_text(ssl.DER_cert_to_PEM_cert(known[0]), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(file))
        yield


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory):
    # Here and below: the process that hands tests to others loads this file too, and no model.
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("model")
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=64, hidden_size=D_IN, intermediate_size=24, num_hidden_layers=3,
        num_attention_heads=2, num_key_value_heads=2, max_position_embeddings=16,
        bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)
    known = ["<unk>", "<s>", "</s>", "[", "]", "user", "assistant", "system", *WORDS]
    tokenizer = Tokenizer(models.WordLevel({w: i for i, w in enumerate(known)}, "<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", 1)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="<unk>", bos_token="<s>", eos_token="</s>"
    ).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_chat_model(tiny_model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("chat-model")
    for file in tiny_model.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    (folder / "chat_template.jinja").write_text(TEMPLATE)
    return folder


@pytest.fixture(scope="session")
def tiny_sae_folder(tmp_path_factory):
    import torch
    from safetensors.torch import save_file

    folder = tmp_path_factory.mktemp("sae")
    generator = torch.Generator().manual_seed(0)
    encoder = torch.randn(D_IN, N_FEATURES, generator=generator)
    save_file(
        {
            "W_enc": encoder,
            "b_enc": torch.full((N_FEATURES,), -0.02),
            "W_dec": (encoder.T / D_IN).contiguous(),
            "b_dec": torch.zeros(D_IN),
        },
        folder / "sae_weights.safetensors",
    )
    settings = {
        "architecture": "standard", "d_in": D_IN, "d_sae": N_FEATURES, "dtype": "float32",
        "device": "cpu", "apply_b_dec_to_input": False, "normalize_activations": "none",
        "metadata": {"model_name": "tiny", "hook_name": f"blocks.{LAYER}.hook_resid_post"},
    }  # fmt: skip
    (folder / "cfg.json").write_text(json.dumps(settings))
    return folder


@pytest.fixture
def tiny_sae(tiny_model, tiny_sae_folder):
    from interp_embed.sae import LocalSAE

    return LocalSAE(
        sae_id=None, release=str(tiny_sae_folder), model=str(tiny_model), max_norm_ratio=None
    )


@pytest.fixture
def documents():
    return [
        "the soup was cold and the waiter was rude",
        "we waited long for a table",
        "lovely soup kind waiter good table",
        "good good good",
        "the table was good and the soup was lovely and we waited and waited for the kind waiter",
    ]


_WORD = re.compile(r"[a-z]+")


def _answer(message):
    """Answer as a model would: the word that tells, and whether it is in the text."""
    if "POSITIVE EXAMPLES:" in message:
        positive, negative = message.split("NEGATIVE EXAMPLES:")
        return json.dumps({"label": f"mentions {_telling_word(positive, negative)}"})
    concepts, text = message.split("\nTEXT:\n", 1)
    words = set(_WORD.findall(text.lower()))
    asked = re.findall(r"^\W*(c\d+)\W+(.*)$", concepts, re.MULTILINE)
    return json.dumps({key: concept.split()[-1] in words for key, concept in asked})


def _telling_word(positive, negative):
    def shares(block):
        examples = re.split(r"^\d+\. ", block, flags=re.MULTILINE)[1:]
        marked = [" ".join(re.findall("<<(.*?)>>", text)) or text for text in examples]
        found = Counter(word for text in marked for word in set(_WORD.findall(text.lower())))
        return {word: n / max(1, len(examples)) for word, n in found.items()}

    inside, outside = shares(positive), shares(negative)
    return max(sorted(inside), key=lambda word: inside[word] - outside.get(word, 0))


@pytest.fixture(scope="session")
def answer_message():
    """Return the answer to the last turn of a conversation."""
    return _answer


@pytest.fixture(scope="session")
def by_rule():
    """A script for ScriptedLLM."""
    return lambda request: _answer(request.messages[-1].content)


@pytest.fixture(scope="session")
def many_documents():
    """Sixty that differ, in the words the tiny model knows."""
    rng = np.random.default_rng(0)
    return [" ".join(rng.choice(WORDS, int(rng.integers(6, 11)), replace=False)) for _ in range(60)]
