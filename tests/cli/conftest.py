import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / name) for name in ("dataset", "llm", "report")]
"""The fault server, notes of planted words, and results of analyses made by hand."""
