"""The most frequent words of a text."""
import re
from collections import Counter

text = """
It was the best of times, it was the worst of times, it was the age of wisdom,
it was the age of foolishness, it was the epoch of belief, it was the epoch of incredulity
"""

words = re.findall(r"[a-z']+", text.lower())
counts = Counter(words)
for word, count in counts.most_common(5):
    print(f"{word:<8}{'#' * count} {count}")

unique = len(counts)
longest = max(counts, key=lambda word: (len(word), word))
print(f"{unique} different words, the longest is {longest!r}")
