"""matplotlib's backend of the image (MPLBACKEND): draws as Agg does, and `plt.show()` does what it does in a notebook: it shows
what is open, and closes it.

Installed beside matplotlib's own: what drawing warns of then names the line of the code that called show(). runner/figures.py
picks up `shown`; in other programs that the code starts nobody does.
"""

from io import BytesIO

from matplotlib._pylab_helpers import Gcf
from matplotlib.backend_bases import FigureManagerBase
from matplotlib.backends.backend_agg import FigureCanvasAgg

# Of a figure; runner/figures.py refuses more.
MAX_PIXELS = 1 << 24

# What was shown, in this order: PNGs, and figures that are too large to be drawn.
shown = []


class FigureManager(FigureManagerBase):
    @classmethod
    def pyplot_show(cls, *, block=None):
        # `block=False` goes on with the figures that are open, as plt.pause() does.
        if block is not None and not block:
            return
        # Numbered as they are created; the order they are kept in is that of their last use.
        for _, manager in sorted(Gcf.figs.items()):
            shown.append(drawn(manager.canvas))
            Gcf.destroy(manager)


class FigureCanvas(FigureCanvasAgg):
    manager_class = FigureManager


def drawn(canvas):
    """A PNG of the figure as it is now, or the figure."""
    width, height = canvas.figure.bbox.size
    if not width * height <= MAX_PIXELS:
        return canvas.figure
    buffer = BytesIO()
    canvas.print_png(buffer)
    return buffer.getvalue()
