"""What changed between two versions of a text."""
import difflib

before = "one\ntwo\nthree\nfour\n".splitlines(keepends=True)
after = "one\n2\nthree\nthree and a half\nfour\n".splitlines(keepends=True)
changes = list(difflib.unified_diff(before, after, "before.txt", "after.txt", n=1))
print("".join(changes))
similarity = round(difflib.SequenceMatcher(None, "".join(before), "".join(after)).ratio(), 4)
guesses = difflib.get_close_matches("pandsa", ["pandas", "numpy", "panda", "sandbox"])
print(similarity, guesses)
