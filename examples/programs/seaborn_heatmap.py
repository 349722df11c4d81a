"""Correlations as a heat map."""
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns

rng = np.random.default_rng(3)
height = rng.normal(170, 8, 200)
people = pd.DataFrame({"height": height, "weight": height * 0.9 - 85 + rng.normal(0, 5, 200), "shoe": height / 4 + rng.normal(0, 1, 200)})
correlations = people.corr().round(2)
print(correlations)
axes = sns.heatmap(correlations, annot=True, vmin=-1, vmax=1)
annotations = [text.get_text() for text in axes.texts]
plt.savefig("correlations.png")
print(annotations)
del rng, height, people
