"""`make quality`: score matching against the labeled evaluation set, and hold it against the baseline.

    python -m tests.quality                    load an installation from the data pack, scan, score, gate
    python -m tests.quality --update           the same, and store the result as the new baseline
    python -m tests.quality --loaded DIR       use a data directory that is loaded already; it is only read
    python -m tests.quality --keep DIR         load into this data directory and keep it
    python -m tests.quality --cases FILE       also write every wrong and missed label, one JSON line per case

Ends with 0 when nothing got worse, 1 otherwise. Without the data pack (SENTRIKAT_SHARED, default ../shared) it says
so and ends with 0, or with 1 where SENTRIKAT_NO_SKIPS asks that nothing be left out.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import orjson
import zstandard

from tests.quality import gate, reference, tables
from tests.quality.installation import Installation, load, mirror
from tests.quality.intervals import Intervals, intervals
from tests.quality.labels import Evaluation, Resolver
from tests.quality.prediction import best_cpe, predicted_ids, prediction, product_of, read_records
from tests.quality.scoring import (
    Figures,
    Identified,
    Reference,
    Score,
    Updates,
    f1,
    figures,
    ratio,
    score,
    updates_found,
)
from tests.quality.selection import Selection

REPOSITORY = Path(__file__).parent.parent.parent
BASELINE = REPOSITORY / "docs" / "develop" / "quality-baseline.json"
PAGE = REPOSITORY / "docs" / "develop" / "quality.md"
_BEGIN, _END = "<!-- figures: written by make quality ARGS=--update -->", "<!-- end of figures -->"


def main() -> int:
    """Run it; give the exit status."""
    parser = argparse.ArgumentParser(prog="make quality", description="Score matching against labeled cases.")
    parser.add_argument("--update", action="store_true", help="store the result as the new baseline")
    parser.add_argument("--loaded", type=Path, help="a data directory that is loaded already")
    parser.add_argument("--keep", type=Path, help="load into this data directory and keep it")
    parser.add_argument(
        "--cases", type=Path, help="write wrong and missed labels here, one JSON line per case"
    )
    options = parser.parse_args()
    shared = Path(os.environ.get("SENTRIKAT_SHARED", REPOSITORY.parent / "shared")).resolve()
    if not (shared / "data" / "evaluation").is_dir():
        required = os.environ.get("SENTRIKAT_NO_SKIPS", "") not in {"", "0"}
        _tell(f"SKIPPED: there is no evaluation set in {shared}/data (SENTRIKAT_SHARED)")
        if required:
            _tell("SENTRIKAT_NO_SKIPS is set, so this fails")
        return int(required)
    data = shared / "data"
    with tempfile.TemporaryDirectory(prefix="sentrikat-quality-") as folder:
        work = Path(folder)
        records = work / "records.ndjson"
        if options.loaded:
            _scan(Installation(options.loaded), data, work, records)
        else:
            cache = Path(os.environ.get("SENTRIKAT_MIRROR_CACHE", work / "mirror"))
            with mirror(shared, cache) as address:
                installation = Installation(options.keep or work / "installation")
                chosen = Selection(Evaluation.load(data).reports.values())
                load(installation, data, address, work, chosen, _tell)
            _scan(installation, data, work, records)
        return _judge(data, records, options.cases, update=options.update)


def _tell(words: str) -> None:
    sys.stderr.write(f"quality: {words}\n")
    sys.stderr.flush()


def _scan(installation: Installation, data: Path, work: Path, records: Path) -> None:
    started = time.monotonic()
    reports = work / "reports.ndjson"
    packed = data / "evaluation" / "reports.ndjson.zst"
    with packed.open("rb") as source, reports.open("wb") as target:
        zstandard.ZstdDecompressor().copy_stream(source, target)
    installation.run("scan", "--ndjson", str(reports), output=records)
    _tell(f"scanned in {time.monotonic() - started:.0f} s")


def _judge(data: Path, path: Path, cases_path: Path | None, *, update: bool) -> int:
    evaluation = Evaluation.load(data)
    records = read_records(path)
    named = {
        one
        for record in records.values()
        for name, others in predicted_ids(record)
        for one in (name, *others)
    }
    described, rejected = reference.described_and_rejected(data)
    resolve = Resolver(reference.cve_names(data, evaluation.ids() | named), rejected)
    known = Reference(described, reference.exploited(data))
    scores = [score(case, prediction(records[case.ref], resolve)) for case in evaluation.cases(resolve)]
    names = [
        Identified(
            one.ref, one.kind, one.ambiguous, product_of(one.expected), product_of(best_cpe(records[one.ref]))
        )
        for one in evaluation.names
    ]
    hosts = _hosts(evaluation, data, {ref: frozenset(one["missing_updates"]) for ref, one in records.items()})

    by_set = {name: [one for one in scores if one.case.set == name] for name in _in_order(scores)}
    groups = {name: (figures(held, known), held) for name, held in by_set.items()}
    accuracy = ratio(sum(one.verdict == "right" for one in names), len(names)) or 0.0
    updates = f1(*(sum(counts) for counts in zip(*map(updates_found, hosts), strict=True)))
    now = gate.baseline(groups, accuracy, updates or 0.0)

    page = _page(by_set, names, hosts, known)
    sys.stdout.write(f"{page}\n")
    if cases_path is not None:
        _write_cases(cases_path, scores)
    if update:
        _write_page(page)
        BASELINE.write_bytes(orjson.dumps(now, option=orjson.OPT_INDENT_2) + b"\n")
        _tell(f"stored as {BASELINE.relative_to(REPOSITORY)}")
        return 0
    if not BASELINE.is_file():
        _tell(f"there is no baseline at {BASELINE}; make one with --update")
        return 1
    complaints = gate.worse(orjson.loads(BASELINE.read_bytes()), now, by_set)
    for complaint in complaints:
        _tell(f"WORSE  {complaint}")
    _tell("nothing got worse" if not complaints else f"{len(complaints)} figures got worse")
    return int(bool(complaints))


def _hosts(evaluation: Evaluation, data: Path, said: dict[str, frozenset[str]]) -> list[Updates]:
    named, replaces = reference.update_history(data)
    hosts = []
    for note in evaluation.notes:
        if not note["set"].startswith("E6_"):
            continue
        host = evaluation.hosts[note["report_id"].partition(":")[2]]
        expected = frozenset(host["unapplied_per_windows_update"]) & named.keys()
        asked_on = host["scanned"].replace("-", "")
        found = frozenset(
            name
            for one in said[note["report_id"]]
            # Of what came later Windows Update could only name what it replaces.
            if named.get(name := one.removeprefix("KB"), "") <= asked_on
            or not expected.isdisjoint(replaces.get(name, frozenset()))
        )
        hosts.append(
            Updates(host["host"], expected, found, {one: replaces.get(one, frozenset()) for one in found})
        )
    return hosts


def _in_order(scores: list[Score]) -> list[str]:
    return sorted({one.case.set for one in scores})


def _page(
    by_set: dict[str, list[Score]], names: list[Identified], hosts: list[Updates], known: Reference
) -> str:
    sets = []
    lanes = []
    for name, held in by_set.items():
        clean = [one for one in held if not one.case.ambiguous]
        sets += [_row(name, "all", held, known), _row(name, "clean", clean, known)]
        for lane in sorted({one.case.lane for one in held}):
            own = [one for one in held if one.case.lane == lane]
            clean = [one for one in own if not one.case.ambiguous]
            lanes.append(_row(f"{name} · {lane}", "all", own, known))
            if len(clean) not in {0, len(own)}:
                lanes.append(_row(f"{name} · {lane}", "clean", clean, known))
    parts = (
        tables.figures_table(sets, "set"),
        tables.figures_table(lanes, "set · lane"),
        tables.names_table(names),
        tables.updates_table(hosts),
    )
    return "\n\n".join(parts)


def _row(name: str, rows: str, scores: list[Score], known: Reference) -> tuple[str, str, Figures, Intervals]:
    return name, rows, figures(scores, known), intervals(scores, known)


def _write_page(page: str) -> None:
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(_BEGIN)
    after = rest.partition(_END)[2]
    PAGE.write_text(f"{before}{_BEGIN}\n\n{page}\n\n{_END}{after}", encoding="utf-8")


def _write_cases(path: Path, scores: list[Score]) -> None:
    with path.open("wb") as out:
        for one in scores:
            if one.missed or one.false_alarms:
                row = {
                    "ref": one.case.ref,
                    "set": one.case.set,
                    "lane": one.case.lane,
                    "ambiguous": one.case.ambiguous,
                    "missed": sorted(one.missed),
                    "false_alarms": sorted(one.false_alarms),
                    "hits": sorted(one.hits),
                }
                out.write(orjson.dumps(row) + b"\n")


if __name__ == "__main__":
    sys.exit(main())
