"""What a report holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from mcdose.dvh import Dvh
    from mcdose.grid import Grid

Kind = Literal["dose", "difference", "uncertainty"]


@dataclass(frozen=True, eq=False)
class Layer:
    """An image to be drawn over the CT.

    Attributes
    ----------
    name : what the reader chooses it by
    values : (nz, ny, nx), in `unit`; NaN where there is nothing to say
    unit : "Gy" or "%"
    kind : "dose" from 0; "difference" about 0; "uncertainty" from 0, drawn where the first dose is high enough
    """

    name: str
    values: NDArray[Any]
    unit: str
    kind: Kind


@dataclass(frozen=True)
class Table:
    """A table of text: the first cell of each row names the row; `words` are columns of words, not of numbers."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""
    words: tuple[int, ...] = ()


@dataclass(frozen=True)
class Figure:
    """One figure to be seen first.

    Attributes
    ----------
    label, value, note : what it is, the figure with its unit, a few words below
    """

    label: str
    value: str
    note: str = ""


@dataclass(frozen=True, eq=False)
class TreatmentPart:
    """What a report says of a radioembolization, before everything else. All text is plain, but for the drawing.

    Attributes
    ----------
    figures : to be seen first
    facts : (label, value), of the case and the treatment
    tissues : doses with their uncertainty
    limits : figures against limits, None where none apply
    lungs : shunt and doses of the lungs, None where none are named
    recovery, sessions, solution, effect : lesions without the blur, doses over all sessions, activity for a dose, BED;
        each None where it does not apply
    no_effect : why there is no BED, empty where there is
    compartments : beside the voxels
    reasons : why the two differ, (tissue, sentence)
    budget : terms of the uncertainty
    lesions, around : names of structures, to be pictured, and to be outlined there as well; the first is cropped to
    drawing : doses against activity, SVG that is safe as it is; empty where there is no activity
    drawing_note : below it
    assumptions : a sentence each
    sources : publications of the limits, in the order of their numbers
    notice : what the figures are good for
    """

    figures: tuple[Figure, ...]
    facts: tuple[tuple[str, str], ...]
    tissues: Table
    limits: Table | None
    lungs: Table | None
    recovery: Table | None
    sessions: Table | None
    solution: Table | None
    effect: Table | None
    no_effect: str
    compartments: Table
    reasons: tuple[tuple[str, str], ...]
    budget: Table
    lesions: tuple[str, ...]
    around: tuple[str, ...]
    drawing: str
    drawing_note: str
    assumptions: tuple[str, ...]
    sources: tuple[str, ...]
    notice: str


@dataclass(frozen=True, eq=False)
class Report:
    """Everything in a report. All text is plain: it is made safe for HTML when it is written.

    Attributes
    ----------
    title, lead : heading, and the line below it that says what this is
    facts : (label, value), how it was made
    grid : of all arrays
    ct_hu : (nz, ny, nx) int16, HU
    structures : name to bool mask or coverage from 0 to 1
    layers : the first is shown first; the first of kind "dose" says where the others are drawn
    curves : histograms by method, then by structure; the structures have the colours of their place in `structures`
    dose_to : "medium" or "water"
    tables : the figures; made by the caller, from full resolution
    balance : where the energy went, or None
    warnings, notes, references : a sentence each
    treatment : of a radioembolization; None without
    """

    title: str
    lead: str
    facts: tuple[tuple[str, str], ...]
    grid: Grid
    ct_hu: NDArray[np.int16]
    structures: dict[str, NDArray[Any]]
    layers: tuple[Layer, ...]
    curves: dict[str, dict[str, Dvh]]
    dose_to: str
    tables: tuple[Table, ...]
    balance: Table | None = None
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    treatment: TreatmentPart | None = None
