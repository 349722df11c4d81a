"""Running a freshly imported library's common paths once, so that user code does not pay for their first time.

pandas needs 8 ms for the first DataFrame of a process: lazy imports, caches, specialised bytecode. After a preload nobody waits.
"""

from encode import json_text


def exercise(module):
    """Never fails: a library that cannot do this will say so to the code that uses it."""
    try:
        EXERCISES.get(module, lambda: None)()
    except Exception:
        pass


def _numpy():
    import numpy

    json_text(numpy.arange(6.0).reshape(2, 3) @ numpy.ones((3, 2)))


def _pandas():
    import pandas

    frame = pandas.DataFrame({"a": [1, 2, 3], "b": ["x", "y", "x"], "c": [1.0, 2.0, None]})
    grouped = frame.groupby("b").agg({"a": "sum", "c": "mean"}).reset_index()
    frame["d"] = frame["a"] * 2
    for value in (frame, grouped, frame.describe(), frame[frame["a"] > 1], frame["a"].sum(), frame["a"].mean(),
                  frame.sort_values("c"), frame["c"]):
        json_text(value)
    str(frame)


def _pyplot():
    # Not by pyplot: the code's own first figure has the number 1.
    from matplotlib.figure import Figure

    from figures import png_of_figure

    figure = Figure()
    axes = figure.subplots()
    axes.plot([1, 2, 3], label="a")
    axes.set(title="a", xlabel="a")
    axes.legend()
    png_of_figure(figure)


EXERCISES = {"numpy": _numpy, "pandas": _pandas, "matplotlib.pyplot": _pyplot}
