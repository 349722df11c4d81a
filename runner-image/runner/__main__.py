"""`python3 -I -B runner [--workspace DIR]`: the runner as it is in the work tree, for the tests. The image starts at boot.py."""

import sys

from main import main

arguments = sys.argv[1:]
if arguments and (len(arguments) != 2 or arguments[0] != "--workspace"):
    sys.exit("usage: runner [--workspace DIR]")
main(*arguments[1:])
