"""Nothing that other libraries say reaches stderr."""

import logging
import os
import subprocess
import sys
import warnings

from images import ct_series, pet_series, rtstruct

from mcdose.io.quiet import native_messages, quiet_libraries


def test_warnings_and_foreign_logs_go_to_the_log(caplog, capfd):
    foreign = logging.getLogger("nibabel.global")
    before = (list(foreign.handlers), foreign.propagate)
    with caplog.at_level(logging.INFO, logger="mcdose"), quiet_libraries():
        warnings.warn("odd value", UserWarning, stacklevel=1)
        warnings.warn("odd value", UserWarning, stacklevel=1)
        foreign.warning("bad header")
    assert [r.getMessage() for r in caplog.records] == ["nibabel.global: bad header", "UserWarning: odd value"]
    assert {r.name for r in caplog.records} == {"mcdose"}
    assert (list(foreign.handlers), foreign.propagate) == before
    assert capfd.readouterr().err == ""


def test_native_messages_are_collected_and_stderr_restored(capfd):
    with native_messages() as lines:
        os.write(2, b"Corrupt  data\n")
    os.write(2, b"after\n")
    assert lines == ["Corrupt data"]
    assert capfd.readouterr().err == "after\n"


def test_a_program_that_reads_odd_headers_has_an_empty_stderr(tmp_path):
    values = [[[5] * 4] * 3] * 4
    ct_series(tmp_path / "ct", values)
    for path in (tmp_path / "ct").iterdir():  # a date and a UID that the standard forbids, as some files have them
        whole = path.read_bytes()
        path.write_bytes(whole.replace(b"20240603", b"2024/6/3").replace(b"1.2.3.2\0", b"1.02.3.2"))
    pet_series(tmp_path / "pet", values, [1.0] * 4, [("20240604", "063000", 900.0, None)] * 4)
    square = [(-6, -17), (-6, -19), (-9, -19)]
    rtstruct(tmp_path / "rs.dcm", [("A", [(30, square), (32, square)])])
    program = (
        "import sys; from pathlib import Path; from mcdose.io.ct import read_ct;"
        "from mcdose.io.activity import read_activity; from mcdose.io.structures import read_structures;"
        "from mcdose.io.rtdose import write_rt_dose;"
        "p = Path(sys.argv[1]); ct = read_ct(p / 'ct'); read_activity(p / 'pet');"
        "read_structures(p / 'rs.dcm', ct.volume.grid);"
        "write_rt_dose(p / 'dose.dcm', ct.volume.values, ct.volume.grid, ct.series, comment='dose to medium')"
    )
    run = subprocess.run(
        [sys.executable, "-W", "always", "-c", program, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
