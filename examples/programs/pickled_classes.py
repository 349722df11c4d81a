"""Objects to a file and back; and a look at their source."""
import copy
import inspect
import pickle
from collections import namedtuple

Point = namedtuple("Point", "x y")


class Shape:
    def __init__(self, *points):
        self.points = points

    def area(self):
        """By the shoelace formula."""
        around = zip(self.points, self.points[1:] + self.points[:1])
        return abs(sum(a.x * b.y - b.x * a.y for a, b in around)) / 2

    def __reduce__(self):
        return Shape, self.points


shape = Shape(Point(0, 0), Point(4, 0), Point(4, 3))
with open("shape.pickle", "wb") as file:
    pickle.dump({"shape": shape, "name": "triangle"}, file)
with open("shape.pickle", "rb") as file:
    loaded = pickle.load(file)
area = loaded["shape"].area()
twin = copy.deepcopy(shape)
print(area, twin.points == shape.points, twin is shape, Shape.__module__, loaded["shape"].__class__.__qualname__)
print(inspect.getsource(Shape.area))
doc, signature = inspect.getdoc(Shape.area), str(inspect.signature(Shape))
del file, loaded, shape, twin
