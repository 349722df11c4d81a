"""A glider crosses a field of cells."""
import numpy as np


def step(cells):
    neighbours = sum(np.roll(cells, (dy, dx), (0, 1)) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if dy or dx)
    return ((neighbours == 3) | (cells & (neighbours == 2))).astype(int)


cells = np.zeros((8, 8), dtype=int)
cells[:3, :3] = [[0, 1, 0], [0, 0, 1], [1, 1, 1]]
for _ in range(12):
    cells = step(cells)
print("\n".join("".join(".#"[cell] for cell in row) for row in cells))
alive = np.argwhere(cells)
print(alive.tolist())
