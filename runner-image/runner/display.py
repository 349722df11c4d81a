"""The value of the last line as a MIME bundle, as a notebook has it."""

from binascii import b2a_base64

from encode import NotEncodable, json_text
from figures import check_png, is_figure, is_picture
from report import DISPLAY
from size_text import too_large
from type_names import class_attribute

TEXT_LIMIT = 1 << 20  # characters of a text, and of HTML


class Display:
    def __init__(self, value, figures):
        """`figures`: whose limit this shares."""
        self.value, self.figures = value, figures
        self.bundle = {}

    def jobs(self):
        """For the Collector: a part that fails costs that part, the text all of it."""
        return [("display", self.text), ("display text/html", self.html), ("display image/png", self.png), ("display", self.write)]

    def text(self):
        # Their repr would take as much memory again.
        if type(self.value) in (str, bytes, bytearray):
            self.check_length(len(self.value))
        self.add("text/plain", repr(self.value))

    def html(self):
        if self.bundle and class_attribute(type(self.value), "_repr_html_") is not None:
            self.add("text/html", self.value._repr_html_())

    def png(self):
        if not self.bundle:
            return
        if is_figure(self.value) or is_picture(self.value):
            png = self.figures.png(self.value)
        elif class_attribute(type(self.value), "_repr_png_") is not None:
            png = self.value._repr_png_()
            if type(png) is tuple and png:
                png = png[0]  # with metadata
        else:
            return
        if png is None:
            return
        if type(png) is not bytes:
            raise NotEncodable("not a PNG")
        check_png(png)
        self.check(len(png) * 4 // 3)
        self.bundle["image/png"] = b2a_base64(png, newline=False).decode()

    def add(self, kind, text):
        if text is None:
            return
        if not isinstance(text, str):
            raise NotEncodable("not a text")
        self.check_length(str.__len__(text))
        self.bundle[kind] = str.__str__(text)

    def check_length(self, characters):
        if characters > TEXT_LIMIT:
            raise NotEncodable(f"larger than {TEXT_LIMIT} characters")

    def write(self):
        if not self.bundle:
            return
        bundle = json_text(self.bundle)
        self.check(len(bundle))
        if not self.figures.report.append(DISPLAY, bundle):
            raise NotEncodable("no room is left")
        self.figures.room -= len(bundle)

    def check(self, size):
        if size > self.figures.room:
            raise NotEncodable(too_large("figures", self.figures.limit, self.figures.room == self.figures.limit))
