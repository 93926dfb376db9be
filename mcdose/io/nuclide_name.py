"""Which nuclide a header names."""

from __future__ import annotations

import re
from typing import Any

ELEMENTS = {
    "carbon": "C", "nitrogen": "N", "oxygen": "O", "fluorine": "F", "copper": "Cu", "gallium": "Ga", "yttrium": "Y",
    "zirconium": "Zr", "technetium": "Tc", "indium": "In", "iodine": "I", "terbium": "Tb", "holmium": "Ho",
    "lutetium": "Lu", "rhenium": "Re", "actinium": "Ac", "strontium": "Sr", "phosphorus": "P", "samarium": "Sm",
}  # fmt: skip


def nuclide_of(header: Any) -> str | None:
    """Find the nuclide that a PET header names, such as "Y-90"; None if it names none that can be understood."""
    for drug in header.get("RadiopharmaceuticalInformationSequence") or ():
        for code in drug.get("RadionuclideCodeSequence") or ():
            name = nuclide_named(str(code.get("CodeMeaning", "")))
            if name is not None:
                return name
    return None


def nuclide_named(text: str) -> str | None:
    """Read a nuclide out of `^90^Yttrium`, `Y-90`, `90Y`, `Fluorine 18`, `F^18^` and the like."""
    parts = re.findall(r"[A-Za-z]+|\d+m?", text)
    mass = [p for p in parts if p[0].isdigit()]
    letters = [p for p in parts if p[0].isalpha()]
    if len(mass) != 1 or len(letters) != 1:
        return None
    symbol = ELEMENTS.get(letters[0].lower(), letters[0].capitalize())
    return f"{symbol}-{mass[0]}" if len(symbol) <= 2 else None
