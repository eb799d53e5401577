"""The benchmark: ``python -m tests.bench``; see README.md beside this."""

import argparse
import sys
import traceback
from statistics import median

from tests.bench import machine
from tests.bench.browser import chromium
from tests.bench.scenarios import ALL
from tests.bench.table import as_markdown


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench", description="Measure the page; see README.md."
    )
    parser.add_argument("--quick", action="store_true", help="small numbers, once each: does it work?")
    parser.add_argument(
        "scenarios", nargs="*", default=list(ALL), metavar="NAME", help=f"all of them: {', '.join(ALL)}"
    )
    parser.add_argument("--reps", type=int, default=3, help="how often each figure is taken (3)")
    options = parser.parse_args()
    if unknown := set(options.scenarios) - set(ALL):
        parser.error(f"no such scenario: {', '.join(sorted(unknown))}")
    machine.is_quick = options.quick
    times = 1 if options.quick else options.reps
    print(f"Medians of {times}; {machine.describe(chromium())}.", flush=True)
    failed = ""
    for name in options.scenarios:
        print(f"{name} …", file=sys.stderr)
        try:
            table = as_markdown(list(ALL[name](times, options.quick)))
        except Exception:  # what the others measured is not lost to it
            traceback.print_exc()
            failed += f" {name}"
        else:
            print(f"\n**{name}**\n\n{table}", flush=True)
    used = machine.others or [0.0]
    middle, most = median(used), max(used)
    print(f"\nOther programs used {middle:.2f} cores meanwhile (median of {len(used)}; {most:.2f} at most).")
    if failed:
        sys.exit(f"Not measured:{failed}")


if __name__ == "__main__":
    main()
