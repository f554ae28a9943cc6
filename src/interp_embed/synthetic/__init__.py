"""Planted corpora and activations with known truth, and an oracle annotator that knows it."""

from interp_embed.synthetic.corpus import PlantedCorpus, plant_corpus
from interp_embed.synthetic.domains import domain_names, load_domain
from interp_embed.synthetic.plan import Confounder, CorpusPlan
from interp_embed.synthetic.writing import Span

__all__ = [
    "Confounder",
    "CorpusPlan",
    "PlantedCorpus",
    "Span",
    "domain_names",
    "load_domain",
    "plant_corpus",
]
