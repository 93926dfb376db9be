"""The tables that mcdose ships; what each is and where it comes from stands in SOURCES.md."""

from __future__ import annotations

from pathlib import Path

DATA_FOLDER = Path(__file__).parent
