"""Single precision, and a cache of machine code that is never stale and never in the way."""

import math
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import numba
import numpy as np
import pytest

import mcdose.jit
from mcdose.jit import cache_folder, cache_root, compiled, in_single_precision, launcher

A_CONSTANT = 0.1
A_COUNT = 3
PACKAGE = Path(mcdose.jit.__file__).parent


def arithmetic(x):
    """Multiply by a literal and a module constant, neither a float32."""
    y = 1.1 * x + A_CONSTANT
    return y * math.sqrt(2.0) if A_COUNT == 3 else x


def test_literals_and_constants_are_rounded():
    rounded = in_single_precision(arithmetic)
    floats = [value for value in rounded.__code__.co_consts if isinstance(value, float | np.floating)]
    assert floats
    assert all(type(value) is np.float32 for value in floats)
    assert type(rounded.__globals__["A_CONSTANT"]) is np.float32
    assert type(rounded.__globals__["A_COUNT"]) is int
    assert type(A_CONSTANT) is float  # the module keeps its own
    assert (rounded.__doc__, rounded.__qualname__, rounded.__module__) == (
        arithmetic.__doc__,
        "arithmetic",
        arithmetic.__module__,
    )


def test_compiled_stays_in_single_precision():
    function = compiled(arithmetic)
    result = function(np.float32(0.3))
    assert function.nopython_signatures[0].return_type == numba.float32
    one = np.float32
    expected = (one(1.1) * one(0.3) + one(0.1)) * np.sqrt(one(2.0))
    assert result == pytest.approx(expected, rel=2e-7)


def test_numba_cache_setting_is_left_alone():
    before = numba.config.CACHE_DIR
    launcher(arithmetic)
    import mcdose.engine.cpu  # noqa: F401

    assert before == numba.config.CACHE_DIR


@pytest.fixture
def copied(tmp_path, monkeypatch):
    """Make `mcdose.jit` believe that the package is a copy in a temporary folder."""
    for source in PACKAGE.rglob("*.py"):
        target = tmp_path / "package" / source.relative_to(PACKAGE)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)
    monkeypatch.setattr(mcdose.jit, "__file__", str(tmp_path / "package" / "jit.py"))
    monkeypatch.setenv("MCDOSE_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "package"


@pytest.mark.parametrize("name", ["constants.py", "physics/moller.py", "transport/electron.py", "engine/cpu.py"])
def test_cache_folder_follows_the_sources(copied, name):
    """Numba does not see that a callee in another file, or a constant, has changed."""
    before = cache_folder.__wrapped__()
    assert before == cache_folder.__wrapped__()
    with (copied / name).open("a") as source:
        source.write("\nONE_MORE = 1.0\n")
    assert before != cache_folder.__wrapped__()


def test_cache_folder_follows_the_versions(copied, monkeypatch):
    before = cache_folder.__wrapped__()
    monkeypatch.setattr(numba, "__version__", "0.0")
    assert before != cache_folder.__wrapped__()


def test_every_file_with_compiled_code_is_in_the_name():
    hashed = {PACKAGE, PACKAGE / "physics", PACKAGE / "transport", PACKAGE / "engine"}
    compiled_files = [path for path in PACKAGE.rglob("*.py") if "\n@compiled" in path.read_text("utf-8")]
    compiled_files += [path for path in PACKAGE.rglob("*.py") if "\n@launcher" in path.read_text("utf-8")]
    assert len(compiled_files) > 10
    assert {path.parent for path in compiled_files} <= hashed


def test_cache_root_is_chosen_by_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("MCDOSE_CACHE_DIR", str(tmp_path / "chosen"))
    assert cache_root() == tmp_path / "chosen"
    monkeypatch.delenv("MCDOSE_CACHE_DIR")
    if os.name != "nt":
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
        assert cache_root() == tmp_path / "xdg" / "mcdose"
        monkeypatch.delenv("XDG_CACHE_HOME")
        assert cache_root() == Path.home() / ".cache" / "mcdose"


FLUSH = """
import numpy as np
from mcdose.jit import cache_folder
from mcdose.tally import Tally
tally = Tally(1, 4096)
tally.flush(np.ones(1, np.int64), 4096, 0, 1)
print(tally.sums.low[0], cache_folder())
"""


@pytest.mark.skipif(os.name == "nt", reason="folders of users and temporary files differ on Windows")
def test_cache_that_takes_no_files_does_not_stop_a_run(tmp_path):
    """The compiled code goes to the temporary folder, and the log says so; nothing is written beside the sources."""
    (tmp_path / "file").touch()
    (tmp_path / "tmp").mkdir()
    listed = sorted(PACKAGE.rglob("*.nb?"))
    environment = {
        **os.environ,
        "MCDOSE_CACHE_DIR": str(tmp_path / "file" / "cache"),
        "TMPDIR": str(tmp_path / "tmp"),
    }
    done = subprocess.run(
        [sys.executable, "-c", FLUSH], capture_output=True, text=True, timeout=120, env=environment, check=True
    )
    total, folder = done.stdout.split()
    assert total == "1"
    assert done.stderr == ""
    assert Path(folder).is_relative_to(tmp_path / "tmp" / f"mcdose-{os.getuid()}")
    assert list(Path(folder).rglob("*_flush*.nbi"))
    assert sorted(PACKAGE.rglob("*.nb?")) == listed


def test_no_cache_at_all_does_not_stop_a_run(monkeypatch):
    monkeypatch.setattr(mcdose.jit, "_takes_files", lambda folder: False)
    function = launcher(arithmetic)
    assert function(np.float32(1.0)) > 0.0
    assert not function.stats.cache_path


@pytest.mark.skipif(os.name == "nt", reason="the temporary folder is the user's own on Windows")
@pytest.mark.parametrize("kind", ["writable by others", "link"])
def test_code_that_others_could_have_written_is_not_loaded(tmp_path, monkeypatch, kind):
    """The temporary folder is everybody's, and loading compiled code runs it."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    root = tmp_path / f"mcdose-{os.getuid()}"
    if kind == "link":
        (tmp_path / "elsewhere").mkdir()
        root.symlink_to(tmp_path / "elsewhere")
    else:
        root.mkdir()
        root.chmod(0o777)
    chosen = mcdose.jit._temporary_root()
    assert chosen != root
    assert chosen.parent == tmp_path
    assert stat.S_IMODE(chosen.stat().st_mode) == 0o700


@pytest.mark.skipif(os.name == "nt", reason="the temporary folder is the user's own on Windows")
def test_temporary_folder_is_the_users_own_and_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    root = mcdose.jit._temporary_root()
    assert root == mcdose.jit._temporary_root() == tmp_path / f"mcdose-{os.getuid()}"
    assert stat.S_IMODE(root.stat().st_mode) == 0o700
