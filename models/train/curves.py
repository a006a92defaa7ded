"""The losses of a training as a picture."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def draw(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Write a PNG: each part of the loss over the epochs.

    Args:
        rows: one an epoch, with `epoch` and the parts' means.
        path: the file to write, aside first.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), dpi=110, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    epochs = [row["epoch"] + 1 for row in rows]
    for name in [key for key in rows[-1] if key != "epoch"]:
        axes.plot(
            epochs,
            [row[name] for row in rows],
            marker=".",
            label=name,
            linewidth=2.5 if name == "loss" else 1.2,
            color="black" if name == "loss" else None,
        )
    axes.set(xlabel="round over the pictures", ylabel="mean loss", yscale="log")
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    aside = path.with_name(path.name + ".part")
    with aside.open("wb") as stream:
        canvas.print_png(stream)  # type: ignore[no-untyped-call]
    os.replace(aside, path)
