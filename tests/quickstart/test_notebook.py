"""A notebook of a HypotheSAEs user, cell by cell, with nothing changed but its imports."""

import contextlib
import io
import json
import threading
import types
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pandas as pd
import pytest

import interp_embed.embedding
import interp_embed.quickstart

pytest.importorskip("interp_embed.llm.openai_llm")

SETUP = """
import os
os.environ['OPENAI_KEY_SAE'] = os.environ['OPENAI_API_KEY']

import numpy as np
import pandas as pd

from sklearn.model_selection import train_test_split
current_dir = os.getcwd()
if current_dir.endswith("notebooks"):
    prefix = "../"
else:
    prefix = "./"

base_dir = os.path.join(prefix, "demo-data")
data_path = os.path.join(base_dir, "cmf_data_position.txt")  # unified full data file

# Read in the full dataset (tab-separated, no header)
df = pd.read_csv(data_path, sep='\\t', header=None, names=["label", "text"])
df.head()
"""
SPLIT = """
# Remove rows with label == 0
df = df[df["label"] != "0"]

# Shuffle and split into train (90%) and validation (10%)
train_df, val_df = train_test_split(df, test_size=0.1, random_state=42, stratify=df["label"])

# Extract inputs
texts = train_df["text"].tolist()
labels = train_df["label"].values
val_texts = val_df["text"].tolist()
val_labels = val_df["label"].values  # optional, for evaluation
"""
EMBED = """
EMBEDDER = "text-embedding-3-small" # OpenAI
CACHE_NAME = f"cmf_quickstart_{EMBEDDER}"

text2embedding = get_openai_embeddings(texts + val_texts, model=EMBEDDER, cache_name=CACHE_NAME)
embeddings = np.stack([text2embedding[text] for text in texts])

train_embeddings = np.stack([text2embedding[text] for text in texts])
val_embeddings = np.stack([text2embedding[text] for text in val_texts])
"""
TRAIN = """
checkpoint_dir = os.path.join(prefix, "checkpoints", CACHE_NAME)
sae_64_4 = train_sae(embeddings=train_embeddings,M=64, K=4, checkpoint_dir=checkpoint_dir, val_embeddings=val_embeddings)
sae_32_2 = train_sae(embeddings=train_embeddings,M=32, K=2, checkpoint_dir=checkpoint_dir, val_embeddings=val_embeddings)
sae_list = [sae_64_4, sae_32_2]
"""  # noqa: E501
INTERPRET = '''
TASK_SPECIFIC_INSTRUCTIONS = """"All of the texts are public comments submitted on a framework.
Features should describe a specific aspect of the public comment. For example:
- "mentions the impact it will have on students"
- "critiques the way math should be taught'\\""""

# Interpret random neurons
results = interpret_sae(
    texts=texts,
    embeddings=train_embeddings,
    sae=sae_list,
    n_random_neurons=5,
    print_examples_n=3,
    task_specific_instructions=TASK_SPECIFIC_INSTRUCTIONS
)
'''
GENERATE = """
selection_method = "correlation"
results = generate_hypotheses(
    texts=texts,
    labels=labels,
    embeddings=embeddings,
    sae=sae_list,
    cache_name=CACHE_NAME,
    selection_method=selection_method,
    n_selected_neurons=20,
    n_candidate_interpretations=1,
    task_specific_instructions=TASK_SPECIFIC_INSTRUCTIONS
)

print("\\nMost predictive features of Yelp reviews:")
pd.set_option('display.max_colwidth', None)
display(results.sort_values(by=f"target_{selection_method}", ascending=False))
pd.reset_option('display.max_colwidth')
"""
EVALUATE = """
holdout_df = pd.read_json(os.path.join(base_dir, "yelp-demo-holdout-2K.json"), lines=True)
holdout_texts = holdout_df['text'].tolist()
holdout_labels = holdout_df['stars'].values

metrics, evaluation_df = evaluate_hypotheses(
    hypotheses_df=results,
    texts=holdout_texts,
    labels=holdout_labels,
    cache_name=CACHE_NAME,
)

pd.set_option('display.max_colwidth', None)
display(evaluation_df)
pd.reset_option('display.max_colwidth')

print("\\nHoldout Set Metrics:")
print(f"R² Score: {metrics['r2']:.3f}")
print(f"Significant hypotheses: {metrics['Significant'][0]}/{metrics['Significant'][1]} "
      f"(p < {metrics['Significant'][2]:.3e})")
"""
IMPORTS = {
    interp_embed.quickstart: (
        "train_sae", "interpret_sae", "generate_hypotheses", "evaluate_hypotheses",
    ),
    interp_embed.embedding: ("get_openai_embeddings", "get_local_embeddings"),
}  # fmt: skip
AS_WORDS = 'df["label"] = df["label"].astype(str)'


class _Server(BaseHTTPRequestHandler):
    """Embeds a text as the sum of random vectors of its words; answers questions by rule."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        kind = self.embeddings if self.path.endswith("/embeddings") else self.completion
        content = json.dumps(kind(body) | {"model": body["model"]}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        for name, limit in (("requests", 30_000), ("tokens", 100_000_000)):
            self.send_header(f"x-ratelimit-limit-{name}", str(limit))
            self.send_header(f"x-ratelimit-remaining-{name}", str(limit - 1))
            self.send_header(f"x-ratelimit-reset-{name}", "2ms")
        self.end_headers()
        self.wfile.write(content)

    def embeddings(self, body):
        vectors = [self.server.embed(text).tolist() for text in body["input"]]
        data = [
            {"object": "embedding", "index": place, "embedding": vector}
            for place, vector in enumerate(vectors)
        ]
        return {"object": "list", "data": data}

    def completion(self, body):
        self.server.n_answers += 1
        asked = types.SimpleNamespace(
            messages=[types.SimpleNamespace(content=turn["content"]) for turn in body["messages"]]
        )
        message = {"role": "assistant", "content": self.server.answer(asked)}
        choice = {"index": 0, "finish_reason": "stop", "message": message}
        usage = {"prompt_tokens": 500, "completion_tokens": 20, "total_tokens": 520}
        return {"id": "x", "object": "chat.completion", "choices": [choice], "usage": usage}

    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def serve(comments, embed_text, by_rule):
    """Return what makes the folder the notebook expects, and a server behind OpenAI's address."""
    return lambda folder: _serving(folder, comments, embed_text, by_rule)


@contextlib.contextmanager
def _serving(tmp_path, comments, embed_text, by_rule):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "demo-data").mkdir()
    table = comments[["label", "text"]]
    table.to_csv(
        tmp_path / "demo-data" / "cmf_data_position.txt", sep="\t", header=False, index=False
    )
    rng = np.random.default_rng(1)
    agrees = rng.random(150) < 0.5
    stars = np.clip(np.round(3 + 1.2 * agrees + rng.normal(0, 0.8, 150)), 1, 5)
    chosen = [table[table["label"] == ("1" if a else "-1")]["text"] for a in agrees]
    texts = [column.iloc[rng.integers(len(column))] for column in chosen]
    pd.DataFrame({"text": texts, "stars": stars}).to_json(
        tmp_path / "demo-data" / "yelp-demo-holdout-2K.json", orient="records", lines=True
    )
    running = ThreadingHTTPServer(("127.0.0.1", 0), _Server)
    running.embed, running.answer, running.n_answers = embed_text, by_rule, 0
    threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True).start()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path / "notebooks")
        patch.setenv("OPENAI_API_KEY", "sk-none")
        patch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{running.server_port}/v1")
        patch.setenv("INTERP_EMBED_CACHE", str(tmp_path / "cache"))
        yield running
    running.shutdown()
    running.server_close()


def run_cells(*cells):
    """Run cells in one namespace and return it, with what they printed and displayed."""
    shown = []
    space = {name: getattr(module, name) for module, names in IMPORTS.items() for name in names} | {
        "display": shown.append
    }
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        for cell in cells:
            exec(cell, space)  # noqa: S102 - the cells above
    return types.SimpleNamespace(**space, printed=printed.getvalue(), shown=shown)


@pytest.mark.parametrize("as_words", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_the_notebook_runs_from_top_to_bottom_and_again_pays_for_nothing(serve, tmp_path, as_words):
    between = (AS_WORDS,) if as_words else ()
    cells = (SETUP, *between, SPLIT, EMBED, TRAIN, INTERPRET, GENERATE, EVALUATE)
    with serve(tmp_path) as server:
        done = run_cells(*cells)
        n_paid = server.n_answers
        again = run_cells(*cells)
        assert server.n_answers == n_paid

    check_whole(done, kind="binary" if as_words else "numeric")
    assert again.printed.count("Loaded model from") == 2
    pd.testing.assert_frame_equal(again.results, done.results)
    pd.testing.assert_frame_equal(again.evaluation_df, done.evaluation_df)


def check_whole(done, *, kind):
    assert 490 < len(done.texts) < 630
    assert len(set(done.texts)) < len(done.texts)
    hypotheses, evaluation = done.shown
    assert len(hypotheses) == len(evaluation) == 20
    assert hypotheses["target_correlation"].is_monotonic_decreasing
    assert hypotheses["interpretation"].notna().all()
    assert evaluation["separation_score"].dropna().is_monotonic_decreasing
    n_significant, n_tested, threshold = done.metrics["Significant"]
    assert 0 < n_tested <= 20
    assert n_significant > 0
    assert threshold == pytest.approx(0.1 / n_tested)
    assert done.metrics["r2"] > 0.2
    for line in (
        "Saved model to ../checkpoints/cmf_quickstart_text-embedding-3-small/SAE_M=64_K=4_",
        f"Activations shape: ({len(done.texts)}, 96)",
        "(from SAE M=64, K=4): mentions ",
        f"Labels understood as {kind}",
        "Step 1: Annotating texts with ",
        "R² Score: 0.",
    ):
        assert line in done.printed
