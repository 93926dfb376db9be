"""Every particle draws from a stream of its own, and no random word is used twice."""

import json
import os
import subprocess
import sys
from pathlib import Path


def test_no_word_is_used_twice():
    """Trap: correlated secondaries. Electrons, photons to pair production, positrons, in plain Python."""
    done = subprocess.run(
        [sys.executable, "recorded_words.py"],
        cwd=Path(__file__).parent,
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout)
    assert found.pop("blocks") > 3000
    assert found.pop("secondaries") > 300
    assert found.pop("photons that waited") >= 10
    assert not any(found.values()), found
