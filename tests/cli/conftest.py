import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / name) for name in ("llm", "report")]
"""The fault server, and results of analyses made by hand."""
