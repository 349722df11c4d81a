"""Flowers told apart by a forest."""
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import accuracy_score, confusion_matrix
from sklearn.model_selection import train_test_split

iris = load_iris(as_frame=True)
train_x, test_x, train_y, test_y = train_test_split(iris.data, iris.target, test_size=0.3, random_state=7, stratify=iris.target)
forest = RandomForestClassifier(n_estimators=25, random_state=7).fit(train_x, train_y)
predicted = forest.predict(test_x)
accuracy = round(float(accuracy_score(test_y, predicted)), 2)
matrix = confusion_matrix(test_y, predicted)
print(accuracy, matrix, sep="\n")
important = sorted(zip(forest.feature_importances_.round(1).tolist(), iris.feature_names), reverse=True)[:2]
names = sorted(name for _, name in important)
print(names, list(iris.target_names))
del iris, forest, train_x, test_x, train_y, test_y, predicted, important
