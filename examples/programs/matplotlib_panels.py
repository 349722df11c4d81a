"""Four panels of lines, dots and an image; shown, not saved."""
import matplotlib.pyplot as plt
import numpy as np

x = np.linspace(0, 2 * np.pi, 50)
figure, panels = plt.subplots(2, 2, layout="constrained")
panels[0, 0].plot(x, np.sin(x), label="sin")
panels[0, 0].plot(x, np.cos(x), "--", label="cos")
panels[0, 0].legend()
panels[0, 1].scatter(x, x % 1, c=x, s=8)
panels[1, 0].hist(np.sin(x), bins=8)
panels[1, 1].imshow(np.outer(np.sin(x), np.cos(x)), cmap="viridis")
plt.show()
lines = [line.get_label() for line in panels[0, 0].get_lines()]
legend = [text.get_text() for text in panels[0, 0].get_legend().get_texts()]
kinds = [[bool(panel.lines), len(panel.patches), bool(panel.collections), bool(panel.images)] for panel in panels.flat]
print(len(figure.axes), lines, legend, *kinds, sep="\n")
del x
