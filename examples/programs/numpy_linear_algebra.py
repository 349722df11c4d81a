"""Least squares, eigenvalues and broadcasting."""
import numpy as np

x = np.linspace(0, 5, 6)
y = 2 * x**2 - 3 * x + 1
coefficients = np.polyfit(x, y, 2).round(6)
print(coefficients)
matrix = np.array([[4.0, 1.0], [2.0, 3.0]])
values, vectors = np.linalg.eig(matrix)
eigenvalues = np.sort(values.real).round(6)
determinant = round(float(np.linalg.det(matrix)), 6)
inverse = np.linalg.inv(matrix).round(3)
print(eigenvalues, determinant, inverse, sep="\n")
distances = np.sqrt(((x[:, None] - x[None, :]) ** 2))[:2]
table = np.add.outer(np.arange(3), np.array([10, 20]))
print(distances, table, sep="\n")
del values, vectors
