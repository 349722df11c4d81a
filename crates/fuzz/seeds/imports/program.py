"""A command line tool: options, subcommands, help."""
import argparse
import sys


def build():
    parser = argparse.ArgumentParser(description="Convert temperatures.")
    commands = parser.add_subparsers(dest="command", required=True)
    to = commands.add_parser("to", help="convert to a unit")
    to.add_argument("unit", choices=["C", "F", "K"])
    to.add_argument("degrees", type=float, nargs="+")
    to.add_argument("--digits", type=int, default=1, metavar="N")
    return parser


def convert(celsius, unit):
    return {"C": celsius, "F": celsius * 9 / 5 + 32, "K": celsius + 273.15}[unit]


parser = build()
parser.print_help()
given = sys.argv[1:] or ["to", "F", "-40", "0", "36.6", "--digits", "2"]
options = parser.parse_args(given)
converted = [round(convert(value, options.unit), options.digits) for value in options.degrees]
print(converted)
del parser, options
