import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
"""The notes of planted words."""
