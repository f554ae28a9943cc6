"""Layouts in which pretrained SAEs are published: one module each, all read into one form."""

from interp_embed.sae.formats.load import LAYOUTS, from_saelens, load_pretrained_sae
from interp_embed.sae.formats.own import ReaderSAECard, save_reader_sae

__all__ = ["LAYOUTS", "ReaderSAECard", "from_saelens", "load_pretrained_sae", "save_reader_sae"]
