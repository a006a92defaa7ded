"""Curves as a picture. matplotlib is for training and desks only: it is loaded when asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edge_agent.errors import InputError
from models.evaluate.matching import Floats

_SIZE_INCHES = (7.0, 5.0)
_DPI = 120


def curves(
    path: Path, title: str, axes: tuple[str, str], lines: Mapping[str, tuple[Floats, Floats]]
) -> None:
    """Draw one line per name, both axes from 0 to 1 or as far as x goes.

    Raises:
        InputError: matplotlib is missing, or the file cannot be written.
    """
    with _figure(path, title) as (_, plot):
        for name, (x, y) in lines.items():
            plot.plot(x, y, label=name)
        plot.set_xlabel(axes[0])
        plot.set_ylabel(axes[1])
        plot.set_ylim(0, 1.02)
        plot.grid(alpha=0.3)
        plot.legend(loc="lower left")


def spans(path: Path, title: str, rows: Mapping[str, Sequence[tuple[float, float]]]) -> None:
    """Draw each row's spans of seconds, the first row on top.

    Raises:
        InputError: as for `curves`.
    """
    with _figure(path, title) as (_, plot):
        for height, (name, some) in enumerate(reversed(list(rows.items()))):
            plot.broken_barh(
                [(a, max(b - a, 0.05)) for a, b in some],
                (height - 0.35, 0.7),
                label=name,
                alpha=0.8,
            )
        plot.set_yticks(range(len(rows)), list(rows)[::-1])
        plot.set_xlabel("seconds")
        plot.grid(alpha=0.3, axis="x")


def bars(path: Path, title: str, rows: Mapping[str, Floats]) -> None:
    """Draw each row's figure, low and high (float64 [3], NaN = unknown) around one line at 1.

    Raises:
        InputError: as for `curves`.
    """
    with _figure(path, title) as (_, plot):
        for height, (name, (value, low, high)) in enumerate(reversed(list(rows.items()))):
            plot.plot([low, high], [height, height], linewidth=3, alpha=0.6)
            plot.plot([value], [height], "o", label=name)
        plot.set_yticks(range(len(rows)), list(rows)[::-1])
        plot.axvline(1, color="grey", linewidth=0.8)
        plot.grid(alpha=0.3, axis="x")


@contextmanager
def _figure(path: Path, title: str) -> Iterator[tuple[Any, Any]]:
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise InputError(
            "--picture needs matplotlib, which is not installed; run: pip install "
            "'shelflight[train]', or leave --picture out"
        ) from error
    figure = Figure(figsize=_SIZE_INCHES, layout="constrained")
    FigureCanvasAgg(figure)
    plot = figure.add_subplot()
    plot.set_title(title, fontsize="medium")
    yield figure, plot
    aside = path.with_name(path.name + ".part")
    try:
        figure.savefig(aside, dpi=_DPI, format="png")
        aside.replace(path)
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise InputError(f"{path}: cannot be written: {error.strerror}") from error
