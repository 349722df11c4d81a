"""A linear model in a pipeline, cross-validated."""
import numpy as np
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.model_selection import cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

rng = np.random.default_rng(0)
features = rng.normal(size=(200, 3))
target = features @ [3.0, -2.0, 0.5] + 4 + rng.normal(scale=0.1, size=200)
train_x, test_x, train_y, test_y = train_test_split(features, target, random_state=1)
model = LinearRegression().fit(train_x, train_y)
coefficients = model.coef_.round(2)
intercept = round(float(model.intercept_), 2)
score = round(float(model.score(test_x, test_y)), 3)
print(coefficients, intercept, score)
folds = cross_val_score(make_pipeline(StandardScaler(), Ridge(1.0)), features, target, cv=4).round(2)
print(folds)
del rng, model, features, target, train_x, test_x, train_y, test_y
