"""Planted corpora and activations with known truth, and an oracle annotator that knows it.

>>> corpus = plant_corpus(200, plan=CorpusPlan(outcome="stars"), seed=1)
>>> corpus.truth.shape
(200, 30)
>>> oracle = OracleAnnotator(corpus)
>>> float(oracle.annotate([0, 1], ["complains about a long wait"]).verdicts.sum())
0.0
"""

from interp_embed.synthetic.activations import (
    FeatureMatch,
    PlantedActivations,
    match_features,
    plant_activations,
)
from interp_embed.synthetic.axes import PlantedAxes, plant_axes
from interp_embed.synthetic.corpus import PlantedCorpus, plant_corpus
from interp_embed.synthetic.domains import domain_names, load_domain
from interp_embed.synthetic.oracle import OracleAnnotator
from interp_embed.synthetic.pairs import PlantedPairs, plant_pairs
from interp_embed.synthetic.plan import Confounder, CorpusPlan
from interp_embed.synthetic.writing import Span

__all__ = [
    "Confounder",
    "CorpusPlan",
    "FeatureMatch",
    "OracleAnnotator",
    "PlantedActivations",
    "PlantedAxes",
    "PlantedCorpus",
    "PlantedPairs",
    "Span",
    "domain_names",
    "load_domain",
    "match_features",
    "plant_activations",
    "plant_axes",
    "plant_corpus",
    "plant_pairs",
]
