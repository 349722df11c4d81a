import importlib.util
import struct
import unittest

from support import PRELOAD, RunnerTest, frame

HAS_MATPLOTLIB = importlib.util.find_spec("matplotlib") is not None


@unittest.skipUnless(HAS_MATPLOTLIB, "the image's libraries are not here")
class Figures(RunnerTest):
    def sizes(self, answer):
        """(width, height) of each figure, which must be a whole PNG."""
        self.assertEqual(answer.status, "ok", answer.stderr)
        for png in answer.figures:
            self.assertTrue(png.startswith(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR") and png.endswith(b"IEND\xaeB`\x82"))
        return [struct.unpack(">II", png[16:24]) for png in answer.figures]

    def omitted(self, answer):
        return {entry["name"]: entry["reason"] for entry in answer.omitted}

    def test_every_open_figure_comes_in_order_of_creation_at_its_size(self):
        answer = self.run_code("import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.figure(figsize=(2, 1))\n"
                               "fig, axes = plt.subplots(2, 2, figsize=(1, 2), dpi=50)\nplt.figure(1)\nplt.title('a')", timeout=30)
        self.assertEqual((self.sizes(answer), answer.stderr, answer.omitted, answer.result), ([(640, 480), (200, 100), (50, 100)], b"", [], {}))

    def test_show_shows_what_is_open_as_it_is_then_and_closes_it(self):
        answer = self.run_code("import matplotlib.pyplot as plt\nfor n in range(1, 3):\n  fig, ax = plt.subplots(figsize=(n, 1))\n  ax.plot([n])\n"
                               "  plt.figure(figsize=(n, 2))\n  plt.show()\n  ax.set_facecolor('red')\n"
                               "fig.savefig('red.png')\nleft = plt.get_fignums()\nplt.figure(figsize=(3, 3))\nplt.show(block=False)\nfig", timeout=30)
        self.assertEqual(self.sizes(answer), [(100, 100), (100, 200), (200, 100), (200, 200), (300, 300)])
        self.assertEqual((answer.result, answer.omitted), ({"n": 2, "left": []}, []))
        self.assertNotEqual(answer.figures[2], answer.files["red.png"])

    def test_another_backend_shows_nothing_and_what_is_open_comes_at_the_end(self):
        answer = self.run_code("import matplotlib\nmatplotlib.use('Agg')\nimport matplotlib.pyplot as plt\nplt.plot([1])\nplt.show()\nplt.plot([2])\n"
                               "plt.show()\nlines = len(plt.gca().lines)", timeout=30)
        self.assertEqual((self.sizes(answer), answer.result), ([(640, 480)], {"lines": 2}))

    def test_every_figure_is_shown_once_also_by_many_threads_and_none_that_drawing_another_closes(self):
        answer = self.run_code("import matplotlib.pyplot as plt\nfrom concurrent.futures import ThreadPoolExecutor\n"
                               "for n in range(1, 9): plt.figure(figsize=(n, 1), dpi=20)\n"
                               "with ThreadPoolExecutor(4) as threads: list(threads.map(lambda n: plt.show(), range(8)))\n"
                               "f, g = plt.figure(figsize=(1, 2)), plt.figure()\nf.canvas.mpl_connect('draw_event', lambda e: plt.close(g))\nplt.show()",
                               timeout=30)
        sizes = self.sizes(answer)
        self.assertEqual((sorted(sizes[:8]), sizes[8:]), ([(20 * n, 20) for n in range(1, 9)], [(100, 200)]))

    def test_a_figure_that_was_too_large_when_it_was_shown_does_not_come_as_it_is_later(self):
        answer = self.run_code("import matplotlib.pyplot as plt\nf = plt.figure(figsize=(50, 50))\nplt.show()\nf.set_size_inches(1, 1)", timeout=30)
        self.assertEqual((self.sizes(answer), self.omitted(answer)),
                         ([], {"shown figure 1": "5000 x 5000 pixels, over the limit of 16777216 in all"}))

    def test_what_goes_wrong_in_show_is_told_on_its_line(self):
        answer = self.run_code("import matplotlib.pyplot as plt\nplt.title('日')\nplt.show()\nplt.title('$\\\\frac$')\nplt.show()", timeout=30)
        self.assertEqual((answer.status, answer.error.split(":")[0], len(answer.figures)), ("error", "ValueError", 1))
        stderr = answer.stderr.decode()
        self.assertIn("main.py:3: UserWarning: Glyph 26085", stderr)
        self.assertIn('main.py", line 5, in <module>\n    plt.show()', stderr)

    def test_programs_that_the_code_starts_can_draw_and_show(self):
        answer = self.run_code("import subprocess, sys\nprint(subprocess.check_output([sys.executable, '-c', 'import matplotlib.pyplot as plt; plt.plot([1]); "
                               "plt.show(); print(plt.get_fignums())'], text=True))", timeout=30)
        self.assertEqual((answer.stdout, answer.figures), (b"[]\n\n", []))

    def test_what_the_code_makes_of_the_list_of_shown_figures_costs_figures_alone(self):
        for tampering, reason in (("shown[:] = [b'no PNG', 7]", "not a PNG"), ("shown = 7", "TypeError")):
            answer = self.run_code(f"import matplotlib.pyplot as plt, matplotlib.backends.backend_sandbox as b\nplt.plot()\nplt.show()\nb.{tampering}\nx = 1",
                                   timeout=30)
            self.assertEqual((self.sizes(answer), answer.result), ([], {"x": 1}))
            self.assertIn(reason, str(answer.omitted))

    def test_closed_figures_do_not_come_back_even_where_a_name_is_left(self):
        answer = self.run_code("import matplotlib.pyplot as plt\nfig, ax = plt.subplots()\nplt.close(fig)\nplt.figure(figsize=(1, 1))\n"
                               "a = plt.figure()\nplt.close('all')\nb = plt.figure(figsize=(2, 2))", timeout=30)
        self.assertEqual(self.sizes(answer), [(200, 200)])

    def test_figures_without_pyplot_and_what_is_in_them_come_once(self):
        answer = self.run_code("from matplotlib.figure import Figure\nfigure = Figure(figsize=(1, 1))\naxes = figure.subplots(2)\nagain = [figure]\n"
                               "line = Figure(figsize=(2, 1)).subplots().plot([1])\n_hidden = Figure()", timeout=30)
        self.assertEqual((self.sizes(answer), answer.result), ([(100, 100), (200, 100)], {}))

    def test_pandas_seaborn_and_pictures(self):
        answer = self.run_code("import pandas as pd, seaborn as sns\nfrom PIL import Image\ndf = pd.DataFrame({'x': [1, 2], 'y': [2, 1]})\n"
                               "ax = df.plot()\ngrid = sns.relplot(df, x='x', y='y', height=2)\n"
                               "pictures = [Image.new('CMYK', (3, 4)), Image.new('F', (5, 6)), Image.new('RGBA', (7, 8))]\nsame = pictures[0]", timeout=60)
        sizes = self.sizes(answer)
        self.assertEqual((sizes[0], sizes[2:], len(sizes)), ((640, 480), [(3, 4), (5, 6), (7, 8)], 5))

    def test_pictures_of_every_mode_come_back(self):
        answer = self.run_code("from PIL import Image\nmodes = '1 L P RGB RGBA CMYK YCbCr LAB HSV I F LA PA RGBX RGBa La I;16 I;16L I;16B I;16N'.split()\n"
                               "pictures = [Image.new(mode, (2, 3)) for mode in modes]", timeout=30)
        self.assertEqual((self.sizes(answer), answer.omitted), ([(2, 3)] * 20, []))

    def test_a_figure_on_the_last_line_is_displayed_too(self):
        answer = self.run_code("from matplotlib.figure import Figure\nf = Figure(figsize=(1, 1))\nf", timeout=30)
        self.assertEqual((self.sizes(answer), set(answer.display)), ([(100, 100)], {"text/plain", "image/png"}))
        answer = self.run_code("from PIL import Image\nImage.new('L', (3, 4))", timeout=30)
        self.assertEqual((self.sizes(answer), set(answer.display)), ([], {"text/plain", "image/png"}))

    def test_a_table_on_the_last_line_is_text_and_html(self):
        answer = self.run_code("df = pd.DataFrame({'a': [1, 2]})\ndf.head(1)", timeout=30)
        self.assertEqual(answer.display["text/plain"], "   a\n0  1")
        self.assertTrue(answer.display["text/html"].startswith("<div>"))

    def test_what_draws_no_picture_is_named_and_the_rest_comes(self):
        answer = self.run_code("from PIL import Image\nclass Lies(Image.Image):\n    size, mode = (1, 1), 'RGB'\n    png = b'no PNG' * 9\n"
                               "    def save(self, file, format=None): file.write(self.png)\n"
                               "class Huge(Lies): png = b'\\x89PNG\\r\\n\\x1a\\n\\0\\0\\0\\rIHDR' + b'\\xff' * 8\n"
                               "a, b, c, x = Lies(), Huge(), Image.new('RGB', (2, 2)), 1", timeout=30)
        self.assertEqual((self.sizes(answer), answer.result), ([(2, 2)], {"x": 1}))
        self.assertEqual(self.omitted(answer), {"a": "not a PNG", "b": "4294967295 x 4294967295 pixels, over the limit of 16777216 in all"})

    def test_many_ways_to_one_figure_are_not_all_gone(self):
        answer = self.run_code("from matplotlib.figure import Figure\nfig = Figure(figsize=(1, 1))\na = [[[fig] * 1000] * 1000] * 1000\nx = 1", timeout=30)
        self.assertEqual((self.sizes(answer), answer.result, list(self.omitted(answer))), ([(100, 100)], {"x": 1}, ["a"]))

    def test_giants_and_crowds_are_bounded_and_named(self):
        answer = self.run_code("import matplotlib.pyplot as plt\nplt.rcParams['figure.max_open_warning'] = 0\nplt.figure(figsize=(1000, 1000), dpi=100)\n"
                               "for n in range(150): plt.figure(figsize=(.1, .1))\nplt.show()\n"
                               "for n in range(150): plt.figure(figsize=(.1, .1))\nfrom PIL import Image\nbig = Image.new('1', (5000, 5000))", timeout=60)
        self.assertEqual(len(self.sizes(answer)), 63)
        self.assertEqual(self.omitted(answer), {"shown figure 1": "100000 x 100000 pixels, over the limit of 16777216 in all",
                                                "figures": "238 more: at most 64 come back"})

    def test_the_limit_of_bytes_takes_what_fits(self):
        code = ("import numpy as np\nfrom PIL import Image\n"
                "a, b, c = [Image.fromarray(np.random.default_rng(1).integers(0, 255, (n, n), 'uint8')) for n in (40, 90, 40)]")
        answer = self.run_code(code, figures_limit=8000, timeout=30)
        self.assertEqual(self.sizes(answer), [(40, 40), (40, 40)])
        self.assertEqual(self.omitted(answer), {"b": "larger than what is left of the figures limit of 8000 bytes"})

    def test_hostile_figures_cost_themselves_alone(self):
        answer = self.run_code("""
from matplotlib.figure import Figure
import matplotlib.pyplot as plt, time
class Raises(Figure):
    def draw(self, renderer): raise ValueError("no")
class Sleeps(Figure):
    def draw(self, renderer): time.sleep(100)
class Lies(Figure):
    number = property(lambda self: 1 / 0)
a, b, c, d = Raises(), Sleeps(), Lies(), Figure(figsize=(1, 1))
plt.figure(figsize=(2, 2))
x = 1
""", timeout=30)
        self.assertEqual((self.sizes(answer), answer.result), ([(200, 200), (100, 100)], {"x": 1}))
        self.assertEqual(self.omitted(answer), {"a": "ValueError: no", "b": "took too long to encode", "c": "ZeroDivisionError: division by zero"})

    def test_figures_come_after_an_error_too(self):
        answer = self.run_code("import matplotlib.pyplot as plt\nplt.figure(figsize=(1, 1))\n1/0", timeout=30)
        self.assertEqual((answer.status, len(answer.figures)), ("error", 1))

    def test_nothing_is_imported_that_the_code_has_not(self):
        answer = self.run_code("import atexit, sys\natexit.register(lambda: print([n for n in sys.modules if n in ('matplotlib', 'PIL', 'ast')]))\nx = 1\nx")
        self.assertEqual(answer.stdout, b"[]\n")

    def test_letters_that_the_preload_has_not_drawn_can_be_drawn(self):
        conversation = self.ready()
        conversation.send(frame(PRELOAD, {"module": "matplotlib.pyplot"}))
        conversation.receive()
        conversation.execute("import matplotlib.pyplot as plt\nplt.plot([37, 458])\nplt.title('QWXYZ ß $\\\\alpha$', weight='bold')\nplt.savefig('a.png')")
        answer = conversation.collect()
        self.assertEqual((self.sizes(answer), answer.stderr, list(answer.files)), ([(640, 480)], b"", ["a.png"]))

    def test_a_preload_makes_the_first_figure_about_as_fast_as_the_second(self):
        ratios = []
        for _ in range(3):
            conversation = self.ready()
            for module in ("numpy", "matplotlib.pyplot"):
                conversation.send(frame(PRELOAD, {"module": module}))
                conversation.receive()
            conversation.execute("import io, time\nimport matplotlib.pyplot as plt\ntimes = []\nfor n in range(2):\n  t = time.perf_counter()\n"
                                 "  plt.figure()\n  plt.plot([1, 2])\n  plt.savefig(io.BytesIO())\n  times.append(time.perf_counter() - t)\nplt.close('all')\n")
            answer = conversation.collect()
            self.assertEqual(answer.status, "ok", (answer.error, answer.stderr))
            first, second = answer.result["times"]
            ratios.append(first / second)
        self.assertLess(min(ratios), 3)
