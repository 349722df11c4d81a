"""A simulation with a seed: the same every time."""
import random

rng = random.Random(42)


def walk(steps):
    position, highest = 0, 0
    for _ in range(steps):
        position += rng.choice((-1, 1))
        highest = max(highest, position)
    return position, highest


ends, peaks = zip(*(walk(100) for _ in range(500)))
mean_end = sum(ends) / len(ends)
mean_peak = sum(peaks) / len(peaks)
print(f"mean end {mean_end:.3f}, mean peak {mean_peak:.3f}, range {min(ends)} to {max(ends)}")
deck = [rank + suit for suit in "SH" for rank in "AKQJ"]
rng.shuffle(deck)
hand = rng.sample(deck, 3)
print(*deck, "|", *hand)
del rng, ends, peaks
