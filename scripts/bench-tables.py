#!/usr/bin/env python3
"""Prints the tables of docs/performance.md from Criterion's results of `make bench`: medians, and their ratios."""

import json
import pathlib

KEPT = pathlib.Path(__file__).resolve().parent.parent / "target" / "criterion"


def medians():
    """Nanoseconds, by group, function and parameter; parameters in ascending order."""
    found = {}
    for path in KEPT.glob("**/new/benchmark.json"):
        names = json.loads(path.read_text())
        median = json.loads((path.parent / "estimates.json").read_text())["median"]["point_estimate"]
        functions = found.setdefault(names["group_id"], {})
        functions.setdefault(names["function_id"], {})[names["value_str"] or "time"] = median
    return found


def time(nanoseconds):
    for unit, size in (("ns", 1), ("µs", 1e3), ("ms", 1e6)):
        if nanoseconds < 1000 * size:
            break
    value = nanoseconds / size
    return f"{value:.0f} {unit}" if value >= 100 or unit == "ns" else f"{value:.3g} {unit}"


def number(text):
    digits = "".join(character for character in text if character.isdigit())
    return int(digits) if digits else 0


def table(title, functions, ratios=()):
    """One row for each function, then the ratios of the first function's times to those of others."""
    columns = sorted({column for times in functions.values() for column in times}, key=number)
    print(f"| {title} | " + " | ".join(f"{number(column):,}" if number(column) else column for column in columns) + " |")
    print("| --- |" + " ---: |" * len(columns))
    for name, times in functions.items():
        print(f"| {name} | " + " | ".join(time(times[column]) if column in times else "" for column in columns) + " |")
    for over, under in ratios:
        cells = [f"{functions[over][column] / functions[under][column]:.2f}" for column in columns]
        print(f"| {over} / {under.split(':')[0].split(',')[0]} | " + " | ".join(cells) + " |")
    print()


def main():
    found = medians()
    for group, functions in sorted(found.items()):
        against = [("quorate", other) for other in functions if other != "quorate" and "quorate" in functions]
        table(group, dict(sorted(functions.items(), key=lambda item: (number(item[0]), item[0]))), against)


if __name__ == "__main__":
    main()
