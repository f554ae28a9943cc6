"""Results with the frames that the analyses promise, made by hand."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from interp_embed.plots import cluster_map, forest, matrix, stacked_shares, trend_lines

_LABELS = (
    'mentions "shall", "must"', "asks a question", "", "apologises", "numbered list",
    "thanks the reader", 'mentions "sea"', "is about taxes",
)  # fmt: skip


@dataclass(frozen=True)
class FakeAnalysis:
    """What a result of an analysis can say of itself."""

    frame: pd.DataFrame
    sentences: str
    values: dict = field(default_factory=dict)

    def to_frame(self):
        return self.frame

    def summary(self):
        return self.sentences

    def to_json(self):
        return self.values

    def plot(self, ax=None):
        return forest([0.1], [0.0], [0.2], labels=["a"], filled=[True], xlabel="difference", ax=ax)


class FakeDiff(FakeAnalysis):
    def verified_frame(self):
        return pd.DataFrame(
            {
                "concept": ["asks a question", "mentions a price"], "feature": [1, -1],
                "difference": [0.11, 0.02], "low": [0.05, -0.03], "high": [0.17, 0.07],
                "p": [1e-5, 0.4], "q": [2e-5, 0.4], "significant": [True, False],
                "holds": [True, False],
                "rate_first": [0.3, 0.1], "rate_second": [0.19, 0.08], "n": [800, 800],
                "fidelity_f1": [0.81, np.nan], "source": ["feature", "language model alone"],
            }
        )  # fmt: skip


class FakeTrend(FakeAnalysis):
    def plot(self, ax=None):
        rates = np.array([[0.1, 0.2, 0.4], [0.3, 0.2, 0.1]])
        return trend_lines(
            [1990, 2000, 2010], rates, rates - 0.05, rates + 0.05,
            labels=["asks a question", "is about taxes"], xlabel="year", ax=ax,
        )  # fmt: skip


class FakeCorrelations(FakeAnalysis):
    def linked_frame(self):
        return self.frame.assign(linked="the same token").head(1)

    def plot(self, ax=None):
        return matrix(
            [[1.0, 0.4], [0.4, 1.0]], row_labels=["a", "b"], column_labels=["a", "b"],
            title_of_values="NPMI", ax=ax,
        )  # fmt: skip


class FakeClusters(FakeAnalysis):
    def plot(self, ax=None):
        places = np.random.default_rng(0).normal(size=(90, 2))
        return cluster_map(
            places, np.arange(90) % 3 - (np.arange(90) > 80), names=["a", "b", "c"], ax=ax
        )


class FakeSearch(FakeAnalysis):
    def plot(self, ax=None):
        return stacked_shares(
            [[0.5, 0.4], [0.3, 0.1]], bar_labels=["one", "two"], part_labels=["a", "b"],
            xlabel="score", ax=ax,
        )  # fmt: skip


def diff(n=8, *, names=("president", "senator"), labels=_LABELS, **values):
    rng = np.random.default_rng(1)
    difference = np.sort(rng.uniform(-0.2, 0.25, n))[::-1]
    low, high = difference - 0.06, difference + 0.06
    holds = np.abs(difference) > 0.06
    frame = pd.DataFrame(
        {
            "feature": np.arange(n) * 7, "label": [labels[i % len(labels)] for i in range(n)],
            "rate_first": 0.4 + difference / 2, "rate_second": 0.4 - difference / 2,
            "difference": difference, "low": low, "high": high,
            "p": np.where(holds, 1e-6, 0.3), "q": np.where(holds, 4e-6, 0.5),
            "significant": holds, "n": rng.integers(50, 900, n),
            "family": [0, 0, *[-1] * (n - 2)] if n > 1 else [-1] * n,
            "leads": [True, False, *[True] * (n - 2)] if n > 1 else [True] * n,
        }
    )  # fmt: skip
    result = {
        "names": list(names), "n_first": 900, "n_second": 1100, "level": 0.05,
        "warnings": ["Documents of the first group are longer (181 words against 120)."],
        "settings": {"match_length": False, "correction": "bh"},
    }  # fmt: skip
    said = (
        "Of 210 features tested, 6 fire more in one of the groups.\nThe largest difference is +24."
    )
    return FakeDiff(frame, said, result | values)


def trend():
    frame = pd.DataFrame(
        {
            "feature": [1, 7], "label": ["asks a question", "is about taxes"], "tau": [0.31, -0.2],
            "p": [1e-8, 1e-4], "q": [1e-7, 1e-3], "significant": [True, True],
            "shape": ["rising", "not monotone"], "first_rate": [0.1, 0.3], "last_rate": [0.4, 0.1],
            "change": [0.3, -0.2], "low": [0.2, -0.3], "high": [0.4, -0.1], "n": [300, 220],
        }
    )  # fmt: skip
    return FakeTrend(frame, "Two features change with year.", {"levels": [1990, 2000, 2010]})


def correlations():
    frame = pd.DataFrame(
        {
            "first": [1, 4], "first_label": ["asks a question", "numbered list"],
            "second": [7, 3], "second_label": ["is about taxes", ""], "npmi": [0.42, -1.0],
            "low": [0.3, -1.0], "high": [0.5, -0.8], "p_first_given_second": [0.6, 0.0],
            "p_second_given_first": [0.4, 0.0], "n_both": [40, 0], "n_first": [100, 90],
            "n_second": [70, 80], "expected": [7.0, 9.1], "p": [1e-9, 1e-4], "q": [1e-8, 1e-3],
            "linked": ["", ""],
        }
    )  # fmt: skip
    return FakeCorrelations(frame, "Of 1,225 pairs, 2 occur together more or less than by chance.")


def clusters():
    frame = pd.DataFrame(
        {
            "cluster": [0, 1], "name": ["asks politely", "complains"], "n": [40, 30],
            "share": [0.5, 0.375], "features": ["asks a question; thanks", "is about taxes"],
            "stability": [0.91, 0.42], "accuracy": [0.8, np.nan], "accuracy_low": [0.66, np.nan],
            "accuracy_high": [0.9, np.nan],
            "central": ["Could you please tell me when it opens?", "It never works. " * 40],
        }
    )  # fmt: skip
    return FakeClusters(frame, "Two clusters of 80 documents; 10 are in none.")


def search(text="Could you tell me which size you want? <b>No</b>"):
    frame = pd.DataFrame(
        {
            "rank": [1, 2], "document": [12, 3], "score": [0.033, 0.021],
            "rank_features": [1, np.nan], "rank_meaning": [2, 1], "rank_words": [np.nan, 4],
            "matched": ["asks a question", ""], "text": [text, "What would you like?"],
        }
    )  # fmt: skip
    values = {"query": "asks a clarifying question", "k": 10}
    return FakeSearch(frame, "Two documents for 'asks a clarifying question'.", values)


EVERY = {
    "diff": diff, "trend": trend, "correlate": correlations, "cluster": clusters, "search": search,
}  # fmt: skip
