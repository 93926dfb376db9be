"""Programs of others that tests ask, and may do without."""

import shutil
import subprocess

import pytest

PACKAGES = {"dciodvfy": "dicom3tools", "pdftotext": "poppler-utils", "plastimatch": "plastimatch"}  # of Debian


def needs_program(name):
    """Skip the test where a program is not installed."""
    if shutil.which(name) is None:
        pytest.skip(f"needs {name} (Debian package {PACKAGES[name]}), which is not installed")


def judged_by_dciodvfy(path):
    """Return what dciodvfy says of a DICOM file, as it ran."""
    return subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True)
