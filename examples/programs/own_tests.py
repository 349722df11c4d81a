"""A module that tests itself: doctest and unittest."""
import doctest
import sys
import unittest


def roman(number):
    """
    >>> roman(1994)
    'MCMXCIV'
    >>> [roman(n) for n in (4, 9, 40)]
    ['IV', 'IX', 'XL']
    >>> roman(0)
    Traceback (most recent call last):
        ...
    ValueError: not positive: 0
    """
    if number < 1:
        raise ValueError(f"not positive: {number}")
    text = ""
    for value, letters in zip((1000, 900, 500, 400, 100, 90, 50, 40, 10, 9, 5, 4, 1),
                              ("M", "CM", "D", "CD", "C", "XC", "L", "XL", "X", "IX", "V", "IV", "I")):
        text, number = text + letters * (number // value), number % value
    return text


class RomanTest(unittest.TestCase):
    def test_years(self):
        for year, expected in ((2024, "MMXXIV"), (1999, "MCMXCIX")):
            with self.subTest(year):
                self.assertEqual(roman(year), expected)

    @unittest.expectedFailure
    def test_wrong_on_purpose(self):
        self.assertEqual(roman(3), "IIV")


if __name__ == "__main__":
    examples = list(doctest.testmod())
    outcome = unittest.main(argv=[sys.argv[0]], exit=False, verbosity=0).result
    ran, passed = outcome.testsRun, outcome.wasSuccessful()
    print(f"doctest {examples}, unittest {ran} ran, successful: {passed}")
    del outcome
