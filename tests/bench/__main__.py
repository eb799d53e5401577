"""The benchmark: ``python -m tests.bench``; see README.md beside this."""

import argparse
import sys
import traceback
from statistics import median

from tests.bench import machine
from tests.bench.browser import chromium
from tests.bench.scenarios import ALL
from tests.bench.table import Row, as_markdown


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench", description="Measure the page; see README.md."
    )
    parser.add_argument("--quick", action="store_true", help="small numbers, once each: does it work?")
    parser.add_argument(
        "--scenarios", nargs="+", choices=ALL, default=list(ALL), metavar="NAME", help=", ".join(ALL)
    )
    parser.add_argument("--reps", type=int, default=3, help="how often each figure is taken (3)")
    options = parser.parse_args()
    about = machine.describe(chromium())
    rows: list[Row] = []
    failed = ""
    for name in options.scenarios:
        print(f"{name} …", file=sys.stderr)
        try:
            rows += ALL[name](1 if options.quick else options.reps, options.quick)
        except Exception:  # what was measured before is not lost to it
            traceback.print_exc()
            failed += f" {name}"
    print(f"Medians of {1 if options.quick else options.reps}; {about}.\n\n{as_markdown(rows)}\n")
    used = machine.others
    middle, most = median(used), max(used)
    print(f"Other programs used {middle:.2f} cores meanwhile (median of {len(used)}; {most:.2f} at most).")
    if failed:
        sys.exit(f"Not measured:{failed}")


if __name__ == "__main__":
    main()
