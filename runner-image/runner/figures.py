"""Matplotlib's figures that were shown or are open, and the figures and pictures left in the namespace, as PNGs.

Nothing is imported that the code has not: whoever has a figure has the library.
"""

from io import BytesIO
from sys import modules

from encode import NotEncodable
from report import FIGURE, MAX_FIGURES
from size_text import too_large
from type_names import bases, type_name

_BACKEND = "matplotlib.backends.backend_sandbox"  # build/backend_sandbox.py
# As drawn they take four bytes each, and what compresses them about as much again.
MAX_PIXELS = 1 << 24
# Then its width and its height, of four bytes each.
_PNG_HEAD = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
# Others are converted: a PNG has no CMYK.
_PNG_MODES = {"1", "L", "LA", "I;16", "I;16B", "P", "RGB", "RGBA"}
_INTO = {"I": "I;16", "I;16L": "I;16", "I;16N": "I;16", "La": "LA", "PA": "RGBA", "RGBa": "RGBA"}


class Figures:
    def __init__(self, report):
        self.report = report
        self.limit = self.room = report.figures_limit
        self.last = None, None  # the last drawing that was rendered, and its PNG
        self.seen, self.refused = set(), 0

    def jobs(self, names, collector):
        """For the Collector, which is given one more for each figure. `names`: [(name, drawing)], as is_drawing() has it."""
        self.collector = collector
        pyplot = modules.get("matplotlib._pylab_helpers")
        jobs = [("figures", lambda: self.find_pyplots(pyplot))] if pyplot else []
        jobs += [(name, self.finder(name, value)) for name, value in names]
        return jobs + [("figures", self.tell_refused)] if jobs else []

    def find_pyplots(self, pyplot):
        shown = getattr(modules.get(_BACKEND), "shown", ())
        # Numbered as they are created; the order they are kept in is that of their last use.
        still_open = sorted(pyplot.Gcf.figs.items())
        self.found([(f"shown figure {place}", drawing) for place, drawing in enumerate(shown, 1)]
                   + [(f"figure {number}", manager.canvas.figure) for number, manager in still_open])

    def finder(self, name, value):
        def find():
            drawings = [drawing for drawing in map(whole, parts(value)) if drawing is not None]
            # What pyplot has numbered is listed there, or was closed.
            self.found([(name, drawing) for drawing in drawings if is_picture(drawing) or getattr(drawing, "number", None) is None])

        return find

    def found(self, drawings):
        """A job more for each that is new."""
        jobs = []
        for name, drawing in drawings:
            if id(drawing) in self.seen:
                continue
            if len(self.seen) < MAX_FIGURES:
                jobs.append((name, self.job(drawing)))
            else:
                self.refused += 1
            self.seen.add(id(drawing))
        self.collector.add_next(jobs)

    def tell_refused(self):
        if self.refused:
            raise NotEncodable(f"{self.refused} more: at most {MAX_FIGURES} come back")

    def job(self, drawing):
        def render():
            png = self.png(drawing)
            if not self.report.append(FIGURE, png):
                raise NotEncodable("no room is left")
            self.room -= len(png)

        return render

    def png(self, drawing):
        """Its PNG, which there is room for."""
        if self.last[0] is not drawing:
            png = png_of(drawing)
            check_png(png)
            self.last = drawing, png
        png = self.last[1]
        if len(png) > self.room:
            raise NotEncodable(too_large("figures", self.limit, self.room == self.limit))
        return png


def png_of(drawing):
    # What show() has made of a figure.
    if type(drawing) is bytes:
        return drawing
    if type(drawing) is tuple:
        check_size(*drawing)
        raise NotEncodable("not a PNG")
    return png_of_picture(drawing) if is_picture(drawing) else png_of_figure(drawing)


def is_picture(drawing):
    return any(type_name(base) == ("PIL", "Image") for base in bases(type(drawing)))


def is_figure(value):
    return any(type_name(base) == ("matplotlib", "Figure") for base in bases(type(value)))


def parts(value):
    """The drawings in lists, tuples, dicts and arrays of them."""
    kind = type(value)
    if kind is list or kind is tuple:
        items = value
    elif kind is dict:
        items = value.values()
    elif type_name(kind) == ("numpy", "ndarray"):
        items = value.flat
    else:
        yield value
        return
    for item in items:
        yield from parts(item)


def whole(drawing):
    """The picture itself; of anything Matplotlib's, and of seaborn's grids, the figure it is in. None if it is in none."""
    if is_picture(drawing):
        return drawing
    for _ in range(10):  # figures within figures
        if is_figure(drawing):
            return drawing
        drawing = getattr(drawing, "figure", None)
    return None


def png_of_figure(figure):
    width, height = figure.bbox.size
    check_size(width, height)
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = figure.canvas
    buffer = BytesIO()
    try:
        FigureCanvasAgg(figure).print_png(buffer)
    finally:
        figure.set_canvas(canvas)
    return buffer.getvalue()


def png_of_picture(picture):
    check_size(*picture.size)
    if picture.mode not in _PNG_MODES:
        picture = picture.convert(_INTO.get(picture.mode, "RGB"))
    buffer = BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def check_png(png):
    """What is drawn by a class of the code's own may be anything."""
    if not png.startswith(_PNG_HEAD) or len(png) < len(_PNG_HEAD) + 8:
        raise NotEncodable("not a PNG")
    width, height = (int.from_bytes(png[len(_PNG_HEAD) + at:][:4], "big") for at in (0, 4))
    check_size(width, height)


def check_size(width, height):
    if not width * height <= MAX_PIXELS:
        raise NotEncodable(f"{width:.0f} x {height:.0f} pixels, over the limit of {MAX_PIXELS} in all")
