"""Documents through a reader and its SAE: tokens per CPU second and peak memory.

Beside the predecessor's steps on the same model, the same SAE and the same texts.
The model is a random 6-layer Llama (d = 256), read after block 3; the SAE is random too, its bias
set so that about 50 features fire on a token. Everything is made here, nothing is downloaded. The
predecessor's side needs an interpreter with ``sae-lens==6.54.12`` and ``transformer-lens==3.9.0``
(``make bench`` makes one); without it only ours is measured.

    python benchmarks/encode.py --predecessor .venv-bench-lens/bin/python
    python benchmarks/encode.py --features 65536 --documents 16
"""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from scipy.sparse import load_npz
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import AutoModel, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from _children import print_table, run_child

NAME = "01-ai/Yi-6B"  # a Llama by a name transformer-lens knows; the weights are ours
WIDTH, LAYERS, VOCABULARY, LAYER = 256, 6, 4096, 3


def main() -> None:
    """Measure both sides in turns and print the table."""
    options = parse()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        os.environ |= {"HF_HOME": str(root / "hub"), "HF_HUB_OFFLINE": "1"}
        model = make_model(root / "hub" / "hub", options.seed)
        texts = root / "texts.json"
        texts.write_text(json.dumps(make_texts(options)))
        sae = make_sae(root / "sae", model, texts, options)
        rows = [["side", "tokens/CPU-s", "ratio", "peak MB", "over start MB"]]
        measured: dict[str, list[dict[str, float]]] = {}
        for _ in range(options.repeats):
            for name, result in measure(options, root, model, sae, texts):
                measured.setdefault(name, []).append(result)
        base = None
        for name, results in measured.items():
            best = min(results, key=lambda result: result["seconds"])
            rate = best["tokens"] / best["seconds"]
            base = base or rate
            grown = best["peak_mb"] - best["before_mb"]
            ratio = f"{rate / base:.2f}"
            rows.append([name, f"{rate:,.0f}", ratio, f"{best['peak_mb']:.0f}", f"{grown:.0f}"])
        print_table(rows)
        compare(root, list(measured))


def measure(options, root, model, sae, texts):  # noqa: ANN001, ANN201
    """Yield (name, result) of each side."""
    if options.predecessor:
        yield "predecessor", run_child(
            options.predecessor, "_predecessor_reader.py", "encode",
            model=NAME, sae=str(sae), hook=f"blocks.{LAYER}.hook_resid_post",
            texts=str(texts), out=str(root / "predecessor.npz"), warm_up=2,
        )  # fmt: skip
    for tokens in ("peaks", "all"):
        for dtype in options.dtypes:
            name = f"ours {tokens} {dtype}"
            yield name, run_child(
                sys.executable, "_ours_reader.py", "encode",
                model=str(model), sae=str(sae), layer=LAYER, texts=str(texts),
                out=str(root / f"{name}.npz"), warm_up=2, tokens=tokens, dtype=dtype,
            )  # fmt: skip


def compare(root: Path, names: list[str]) -> None:
    """Print how much of the pooled support each side shares with the first."""
    supports = [load_npz(root / f"{name}.npz").astype(bool).astype(np.float32) for name in names]
    for name, support in zip(names[1:], supports[1:], strict=True):
        both = supports[0].multiply(support).nnz
        share = both / (supports[0].nnz + support.nnz - both)
        print(f"{name}: Jaccard of the pooled support with {names[0]}: {share:.4f}")


def make_model(cache: Path, seed: int) -> Path:
    """Write a random Llama and a tokenizer of whole words as a hub cache holds them."""
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=VOCABULARY, hidden_size=WIDTH, intermediate_size=688, num_hidden_layers=LAYERS,
        num_attention_heads=8, num_key_value_heads=8, max_position_embeddings=1024,
        bos_token_id=1, eos_token_id=2, tie_word_embeddings=False,
    )  # fmt: skip
    repository = cache / f"models--{NAME.replace('/', '--')}"
    folder = repository / "snapshots" / "0"
    LlamaForCausalLM(config).save_pretrained(folder)
    words = {"<unk>": 0, "<s>": 1, "</s>": 2} | {f"w{i}": i for i in range(3, VOCABULARY)}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", 1)]
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="<unk>", bos_token="<s>", eos_token="</s>",
        model_max_length=1024,
    )  # fmt: skip
    fast.save_pretrained(folder)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("0")
    return folder


def make_texts(options: argparse.Namespace) -> list[str]:
    """Return documents of about ``--tokens`` words, Zipf distributed."""
    rng = np.random.default_rng(options.seed)
    weights = 1 / np.arange(1, VOCABULARY - 2)
    weights /= weights.sum()
    lengths = rng.integers(int(options.tokens * 0.9), int(options.tokens * 1.1), options.documents)
    return [
        " ".join(f"w{i + 3}" for i in rng.choice(len(weights), length, p=weights))
        for length in lengths
    ]


def make_sae(folder: Path, model: Path, texts: Path, options: argparse.Namespace) -> Path:
    """Write a random ReLU SAE in the SAELens layout, about 50 features active on a token."""
    generator = torch.Generator().manual_seed(options.seed)
    encoder = torch.randn(WIDTH, options.features, generator=generator) / WIDTH**0.5
    whole = AutoModel.from_pretrained(model, dtype=torch.float32)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(model)
    sample = tokenizer(json.loads(texts.read_text())[0], return_tensors="pt")
    with torch.inference_mode():
        hidden = whole(**sample, output_hidden_states=True).hidden_states[LAYER + 1][:, 1:]
    pre = hidden.reshape(-1, WIDTH)[:200] @ encoder
    bias = -pre.flatten().kthvalue(int(pre.numel() * (1 - 50 / options.features))).values
    folder.mkdir()
    save_file(
        {
            "W_enc": encoder.contiguous(),
            "b_enc": torch.full((options.features,), float(bias)),
            "W_dec": encoder.T.contiguous(),
            "b_dec": torch.zeros(WIDTH),
        },
        folder / "sae_weights.safetensors",
    )
    settings = {
        "architecture": "standard", "d_in": WIDTH, "d_sae": options.features, "dtype": "float32",
        "device": "cpu", "apply_b_dec_to_input": False, "normalize_activations": "none",
        "metadata": {
            "model_name": NAME, "hook_name": f"blocks.{LAYER}.hook_resid_post",
            "prepend_bos": True, "context_size": 1024,
        },
    }  # fmt: skip
    (folder / "cfg.json").write_text(json.dumps(settings))
    return folder


def parse() -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--predecessor", help="interpreter with sae-lens and transformer-lens")
    parser.add_argument("--features", type=int, default=8192)
    parser.add_argument("--documents", type=int, default=96)
    parser.add_argument("--tokens", type=int, default=500, help="of a document, on average")
    parser.add_argument("--dtypes", nargs="+", default=["float32"], help="float32, bfloat16")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


if __name__ == "__main__":
    main()
