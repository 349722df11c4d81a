"""Running a freshly imported library's common paths before user code does, which so does not pay for their first time.

pandas needs 8 ms for the first DataFrame of a process: lazy imports, caches, pages of its libraries, specialised bytecode.
After a preload nobody waits. What is measured to help is in docs/PERFORMANCE.md.
"""

import io

from encode import json_text

# The interpreter specialises what it has seen often enough.
ROUNDS = 8


def exercise(module):
    """Never fails: a library that cannot do this will say so to the code that uses it."""
    try:
        EXERCISES.get(module, lambda: None)()
    except Exception:
        pass


def _numpy():
    import numpy

    for _ in range(ROUNDS):
        json_text(numpy.arange(6.0).reshape(2, 3) @ numpy.ones((3, 2)))


def _pandas():
    import pandas

    for _ in range(ROUNDS):
        frame = pandas.DataFrame({"a": [1, 2, 3], "b": ["x", "y", "x"], "c": [1.0, 2.0, None]})
        frame["d"] = frame["a"] + frame["c"]
        str(frame), json_text(frame), json_text(frame["c"]), json_text(frame["a"].sum())
    frame = pandas.read_csv(io.StringIO(frame.to_csv(index=False)))
    grouped = frame.groupby("b").agg({"a": "sum", "c": "mean"}).reset_index()
    for value in (grouped, frame.describe(), frame[frame["a"] > 1], frame.sort_values("c")):
        json_text(value)
    frame.to_json(orient="records")


def _pyplot():
    from matplotlib import font_manager, pyplot

    figure, axes = pyplot.subplots()
    axes.plot([1, 2, 3], label="line")
    axes.set_title("title")
    axes.legend()
    figure.savefig(io.BytesIO(), format="png")
    pyplot.close(figure)
    # A font that is kept reads from its file whenever a new letter is drawn, and no descriptor stays open until the request.
    font_manager._get_font.cache_clear()


EXERCISES = {"numpy": _numpy, "pandas": _pandas, "matplotlib.pyplot": _pyplot}
