from matplotlib import pyplot as plt; import pandas as pd,numpy
x = np.array([1])
