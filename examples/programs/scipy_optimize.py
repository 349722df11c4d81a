"""A root, a minimum, an integral and a differential equation."""
import numpy as np
from scipy import integrate, optimize

root = round(optimize.brentq(lambda x: x**3 - 2 * x - 5, 2, 3), 6)
minimum = optimize.minimize(lambda p: (p[0] - 1) ** 2 + (p[1] + 2) ** 2 + 3, [0, 0])
lowest = {"at": np.round(minimum.x, 3), "value": round(float(minimum.fun), 4)}
area, _ = integrate.quad(lambda x: np.exp(-x * x), -np.inf, np.inf)
area = round(area, 8)
decay = integrate.solve_ivp(lambda t, y: -0.5 * y, (0, 4), [8.0], t_eval=[0, 2, 4], rtol=1e-8)
amounts = decay.y[0].round(4)
fitted, _ = optimize.curve_fit(lambda t, a, b: a * np.exp(b * t), decay.t, decay.y[0], p0=(1, -1))
fitted = fitted.round(3)
print(root, lowest, area, amounts, fitted, sep="\n")
del minimum, decay
