"""matplotlib's backend of the image (MPLBACKEND): draws as Agg does, and `plt.show()` does what it does in a notebook: it shows
what is open, and closes it.

Installed beside matplotlib's own: what drawing warns of then names the line of the code that called show(). runner/figures.py
picks up `shown`; in other programs that the code starts nobody does.
"""

from io import BytesIO

from matplotlib._pylab_helpers import Gcf
from matplotlib.backend_bases import FigureManagerBase
from matplotlib.backends.backend_agg import FigureCanvasAgg

# runner/figures.py takes no more.
MAX_FIGURES = 64
MAX_PIXELS = 1 << 24

# What was shown, in this order: PNGs, and (width, height) of what is too large or too much to be drawn.
shown = []


class FigureManager(FigureManagerBase):
    @classmethod
    def pyplot_show(cls, *, block=None):
        # `block=False` goes on with the figures that are open, as plt.pause() does.
        if block is not None and not block:
            return
        # Numbered as they are created; the order they are kept in is that of their last use.
        for number in sorted(Gcf.figs):
            # At once: another thread may show as well, and drawing one may close another.
            manager = Gcf.figs.pop(number, None)
            if manager is not None:
                shown.append(drawn(manager.canvas))
                Gcf.destroy(manager)


class FigureCanvas(FigureCanvasAgg):
    manager_class = FigureManager


def drawn(canvas):
    """A PNG of the figure as it is now, or its size."""
    width, height = canvas.figure.bbox.size
    if len(shown) >= MAX_FIGURES or not width * height <= MAX_PIXELS:
        return width, height
    buffer = BytesIO()
    canvas.print_png(buffer)
    return buffer.getvalue()
