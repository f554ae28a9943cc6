import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "dataset"))  # what a model says of notes
