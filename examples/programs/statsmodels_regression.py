"""Ordinary least squares with a formula."""
import numpy as np
import pandas as pd
import statsmodels.formula.api as smf

rng = np.random.default_rng(8)
houses = pd.DataFrame({"size": rng.uniform(40, 200, 120).round(1), "garden": rng.integers(0, 2, 120)})
houses["price"] = 50 + 2.5 * houses["size"] + 30 * houses["garden"] + rng.normal(0, 10, 120)
model = smf.ols("price ~ size + C(garden)", houses).fit()
parameters = model.params.round(1)
significant = (model.pvalues < 0.01).to_dict()
quality = round(float(model.rsquared), 2)
print(parameters, significant, quality, sep="\n")
forecast = model.predict(pd.DataFrame({"size": [100, 150], "garden": [0, 1]})).round(0)
print(forecast.tolist())
del rng, houses, model
