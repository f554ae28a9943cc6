import signal
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # the fault server, also for the benchmark


@pytest.fixture(autouse=True)
def _interruptible():
    """What a script starts in the background ignores interrupts, and hands that on; not here."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
