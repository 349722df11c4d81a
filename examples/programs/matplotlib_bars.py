"""A bar chart saved as a picture."""
import matplotlib.pyplot as plt

sold = {"tea": 19, "coffee": 85, "juice": 33}
figure, axes = plt.subplots(figsize=(4, 3), dpi=100)
bars = axes.bar(list(sold), list(sold.values()), color="#4477aa")
axes.bar_label(bars)
axes.set(title="Sold", ylabel="units", ylim=(0, 100))
figure.savefig("sold.png")
size = plt.imread("sold.png").shape
heights = [bar.get_height() for bar in bars]
labels = [tick.get_text() for tick in axes.get_xticklabels()]
print(size, heights, labels, axes.get_title())
del bars
