"""Is the difference chance? A few tests of statistics."""
import numpy as np
from scipy import stats

rng = np.random.default_rng(11)
before, after = rng.normal(100, 10, 60), rng.normal(106, 10, 60)
test = stats.ttest_ind(before, after)
different = bool(test.pvalue < 0.05)
print(f"t = {test.statistic:.3f}, p = {test.pvalue:.4f}, different: {different}")
correlation = round(float(stats.spearmanr([1, 2, 3, 4, 5], [2, 1, 4, 3, 5]).statistic), 3)
chi2, p, freedom, expected = stats.chi2_contingency([[30, 10], [20, 40]])
chance = {"chi2": round(float(chi2), 3), "p": round(float(p), 6), "freedom": freedom, "expected": expected}
interval = np.round(stats.norm.interval(0.95, loc=10, scale=2), 3)
print(correlation, chance, interval, sep="\n")
del rng, before, after, test, chi2, p, freedom, expected
