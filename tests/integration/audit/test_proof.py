"""What somebody with every right in the database did to the log is found and named."""

from __future__ import annotations

import base64
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import text

from sentrikat.audit.checkpoints import Proof, last_signed, make_checkpoint, prove, sign_all
from sentrikat.audit.export import ExportFile, export_lines, prove_export
from sentrikat.audit.queries import ALL, EntryFilters, list_entries
from sentrikat.domain.chain_walk import Break, Fault
from sentrikat.domain.errors import InvalidInput
from sentrikat.domain.signed_statement import public_half
from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database import Database
from tests.conftest import REPOSITORY
from tests.integration.audit.chains import CHAIN, attack, written

KEY, OTHER = (Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32) for number in (1, 2))
KEYS = {public_half(KEY).id: public_half(KEY)}
SWAP = """
    update audit_entry set id = case id when {3} then -1 else {3} end where id in ({3}, {4});
    update audit_entry set id = {4} where id = -1
"""
INSERT = """
    insert into audit_entry (id, organization_id, at, actor, action, object, detail, previous_hash, hash)
    select {3} * 1000, organization_id, at, actor, action, 'asset:99', detail, sha256('x'), sha256('y')
    from audit_entry where id = {3};
    update audit_entry set id = id + 100000 where id > {3} and id < {3} * 1000
"""


def signed(database: Database, clock: FrozenClock) -> None:
    with database.as_system() as session:
        proof, made = make_checkpoint(session, CHAIN, KEY, now=clock.now())
        assert proof.holds
        assert made is not None


def proof_of(database: Database) -> Proof:
    with database.as_system() as session:
        return prove(session, CHAIN, KEYS)


def break_of(database: Database) -> Break:
    broken = proof_of(database).walked.broken
    assert broken is not None
    return broken


def test_a_signed_chain_holds_and_says_how_much_is_signed(database: Database, clock: FrozenClock) -> None:
    ids = written(database, clock)
    signed(database, clock)
    written(database, clock, 2)
    signed(database, clock)
    written(database, clock, 3)

    proof = proof_of(database)
    assert proof.holds
    assert [one.entries for one in proof.checkpoints] == [6, 8]
    assert proof.checkpoints[0].entry_id == ids[-1]
    with database.as_organization(CHAIN) as session:
        said = last_signed(session, CHAIN)
        assert said is not None
        assert (said.number, said.entries, said.since) == (2, 8, 3)
        assert last_signed(session, CHAIN + 1) is None


@pytest.mark.parametrize(
    ("statement", "fault", "named"),
    [
        ("update audit_entry set actor = 'user:2' where id = {3}", Fault.CHANGED, 3),
        ("update audit_entry set at = at + interval '1 microsecond' where id = {3}", Fault.CHANGED, 3),
        ("update audit_entry set address = null where id = {3}", Fault.CHANGED, 3),
        ("update audit_entry set detail = '{{}}' where id = {3}", Fault.CHANGED, 3),
        ("update audit_entry set detail = detail || '{{\"a\": 0.5}}' where id = {3}", Fault.CHANGED, 3),
        ("update audit_entry set hash = sha256('x') where id = {3}", Fault.CHANGED, 3),
        ("delete from audit_entry where id = {3}", Fault.REMOVED, 4),
        ("delete from audit_entry where id = {1}", Fault.REMOVED, 2),
        ("delete from audit_entry where id in ({3}, {4})", Fault.REMOVED, 5),
        ("update audit_entry set organization_id = 8 where id = {3}", Fault.REMOVED, 4),
        (
            SWAP,
            Fault.MOVED,
            3,
        ),
        (
            INSERT,
            Fault.ADDED,
            None,
        ),
        ("delete from audit_entry where id > {4}", Fault.TRUNCATED, 6),
        ("delete from audit_entry where organization_id = 7", Fault.TRUNCATED, 6),
    ],
)
def test_what_a_superuser_did_is_named(
    database: Database, clock: FrozenClock, statement: str, fault: Fault, named: int | None
) -> None:
    ids = written(database, clock)
    signed(database, clock)

    attack(database, *statement.format(0, *ids).split(";"))

    broken = break_of(database)
    assert broken.fault is fault, broken.reason
    if named is not None:
        assert broken.entry_id == ids[named - 1]
    with database.as_system() as session:
        proof, made = make_checkpoint(session, CHAIN, KEY, now=clock.now())
        assert not proof.holds
        assert made is None  # what does not hold is not signed


def test_a_chain_written_anew_from_its_beginning_is_found(database: Database, clock: FrozenClock) -> None:
    written(database, clock)
    signed(database, clock)
    attack(database, "delete from audit_entry")
    written(database, clock, 9)  # by the product's own function: every hash is right

    broken = break_of(database)

    assert broken.fault is Fault.REWRITTEN
    assert "checkpoint 1 of 2026-06-02 12:00 UTC signed another chain" in broken.reason


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("delete from audit_checkpoint where number = 2", "checkpoint 3 .* does not follow checkpoint 1"),
        ("delete from audit_checkpoint where number = 1", "those before it are missing"),
        (
            "update audit_checkpoint set envelope = overlay(envelope placing '\\x41' from 60) where number = 2",
            "signature|cannot be read|checkpoint",
        ),
        (
            "update audit_checkpoint set organization_id = 8; update audit_checkpoint set organization_id = 7",
            None,
        ),
    ],
)
def test_checkpoints_that_were_tampered_with_are_named(
    database: Database, clock: FrozenClock, statement: str, words: str | None
) -> None:
    for _ in range(3):
        written(database, clock, 2)
        signed(database, clock)

    attack(database, *statement.split(";"))

    proof = proof_of(database)
    if words is None:
        assert proof.holds  # the columns only repeat what is signed
        return
    assert proof.forged is not None
    assert re.search(words, proof.forged.reason), proof.forged.reason


def test_a_checkpoint_signed_by_another_key_is_not_believed(database: Database, clock: FrozenClock) -> None:
    written(database, clock)
    with database.as_system() as session:
        make_checkpoint(session, CHAIN, OTHER, now=clock.now())

    proof = proof_of(database)

    assert proof.walked.holds
    assert proof.forged is not None
    assert (
        f"signed by the key {public_half(OTHER).id[:16]}, which is none of those given" in proof.forged.reason
    )


def test_a_replaced_key_goes_on_and_both_verify(database: Database, clock: FrozenClock) -> None:
    written(database, clock)
    with database.as_system() as session:
        make_checkpoint(session, CHAIN, OTHER, now=clock.now())
    written(database, clock, 1)
    signed(database, clock)

    with database.as_system() as session:
        both = {public_half(OTHER).id: public_half(OTHER), **KEYS}
        assert prove(session, CHAIN, both).holds
        assert not prove(session, CHAIN, KEYS).holds


def test_the_daily_work_signs_every_chain_and_says_in_the_log_which_is_broken(
    database: Database, clock: FrozenClock
) -> None:
    ids = written(database, clock)
    written(database, clock, 2, chain=9)
    attack(database, f"update audit_entry set actor = 'nobody' where id = {ids[1]}")

    proofs = sign_all(database, KEY, now=clock.now())

    assert [(one.organization_id, one.holds) for one in proofs] == [(CHAIN, False), (9, True)]
    with database.as_system() as session:
        said = list_entries(session, 0, before=None, limit=5)
    assert [(row.action, row.object) for row in said] == [("audit.chain_broken", f"chain:{CHAIN}")]
    assert said[0].detail["entry"] == ids[1]


@pytest.mark.parametrize(
    "statement", ["update audit_checkpoint set entries = 0", "delete from audit_checkpoint"]
)
def test_checkpoints_are_append_only(database: Database, clock: FrozenClock, statement: str) -> None:
    written(database, clock)
    signed(database, clock)

    with pytest.raises(Exception, match="permission denied"), database.as_system() as session:
        session.execute(text(statement))
    with pytest.raises(Exception, match="append-only"), database.engine.begin() as owner:
        owner.execute(text(statement))


# -- exported files -----------------------------------------------------------------------


def exported(database: Database, clock: FrozenClock, path: Path, filters: EntryFilters = ALL) -> Path:
    file = path / "audit.jsonl"
    with database.as_organization(CHAIN) as session:
        file.write_bytes(b"".join(export_lines(session, CHAIN, filters, now=clock.now())))
    return file


def test_an_exported_file_proves_itself(database: Database, clock: FrozenClock, tmp_path: Path) -> None:
    ids = written(database, clock)
    signed(database, clock)
    written(database, clock, 1)

    proof = prove_export(ExportFile(exported(database, clock, tmp_path)), KEYS)

    assert proof.holds
    assert proof.organization_id == CHAIN
    assert proof.walked.entries == 7
    assert [one.entry_id for one in proof.checkpoints] == [ids[-1]]


@pytest.mark.parametrize(
    ("line", "change", "fault"),
    [
        (3, (b"user:1", b"user:2"), Fault.CHANGED),
        (3, None, Fault.REMOVED),
        (6, None, Fault.TRUNCATED),  # the last entry
        (7, (b'"sig":"', b'"sig":"AAAA'), Fault.CHECKPOINT),
        (8, None, Fault.UNREADABLE),  # the end
        (4, (b"{", b""), Fault.TRUNCATED),
        (4, (b'"id":', b'"id":"x'), Fault.UNREADABLE),
    ],
)
def test_a_changed_export_is_found(
    database: Database,
    clock: FrozenClock,
    tmp_path: Path,
    line: int,
    change: tuple[bytes, bytes] | None,
    fault: Fault,
) -> None:
    written(database, clock)
    signed(database, clock)
    file = exported(database, clock, tmp_path)
    lines = file.read_bytes().splitlines(keepends=True)
    assert len(lines) == 9
    if change is None:
        del lines[line]
    else:
        assert change[0] in lines[line]
        lines[line] = lines[line].replace(*change, 1)
    file.write_bytes(b"".join(lines))

    proof = prove_export(ExportFile(file), KEYS)

    found = {one.fault for one in (proof.walked.broken, proof.forged) if one is not None}
    assert fault in found or Fault.UNREADABLE in found
    assert not proof.holds


def test_a_filtered_export_says_so_and_each_entry_is_checked(
    database: Database, clock: FrozenClock, tmp_path: Path
) -> None:
    written(database, clock)
    file = exported(database, clock, tmp_path, EntryFilters(object="asset:3"))

    read = ExportFile(file)
    assert read.filtered
    assert prove_export(read, KEYS).holds
    file.write_bytes(file.read_bytes().replace(b"user:1", b"user:2"))
    broken = prove_export(ExportFile(file), KEYS).walked.broken
    assert broken is not None
    assert broken.fault is Fault.CHANGED


@pytest.mark.parametrize("content", [b"", b"no json\n", b"[]\n", b'{"format":"other"}\n', b"[" * 100_000])
def test_what_is_no_export_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "x"
    file.write_bytes(content)

    with pytest.raises(InvalidInput, match="was not verified"):
        ExportFile(file)


def test_the_checkpoints_of_an_earlier_export_find_what_was_cut_with_its_checkpoints(
    database: Database, clock: FrozenClock, tmp_path: Path
) -> None:
    """Whoever deletes the newest checkpoints too is found by those kept elsewhere."""
    ids = written(database, clock)
    signed(database, clock)
    kept = ExportFile(exported(database, clock, tmp_path)).envelopes
    attack(database, f"delete from audit_entry where id > {ids[2]}", "delete from audit_checkpoint")

    assert proof_of(database).holds
    with database.as_system() as session:
        broken = prove(session, CHAIN, KEYS, kept).walked.broken
    assert broken is not None
    assert broken.fault is Fault.TRUNCATED


def test_the_recipe_of_the_manual_verifies_an_export_without_this_program(
    database: Database, clock: FrozenClock, tmp_path: Path
) -> None:
    """Anybody can recompute the hashes: what docs/admin/audit.md prints is run here as it stands there."""
    written(database, clock)
    file = exported(database, clock, tmp_path)
    page = (REPOSITORY / "docs" / "admin" / "audit.md").read_text(encoding="utf-8")
    [recipe] = re.findall(r"```python\n(.*?)```", page, re.DOTALL)

    def said() -> str:
        command = [sys.executable, "-I", "-c", recipe, str(file)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.stdout + done.stderr

    assert "6 entries hold" in said()
    file.write_bytes(file.read_bytes().replace(b"asset:4", b"asset:5", 1))
    assert "entry 4 is broken" in said()


def test_time_of_a_checkpoint_is_signed(database: Database, clock: FrozenClock) -> None:
    written(database, clock)
    clock.advance(timedelta(days=1))
    signed(database, clock)

    with database.as_system() as session:
        envelope = session.scalar(text("select envelope from audit_checkpoint"))
    assert b"2026-06-03T12:00:06.000000+00:00" in base64.b64decode(orjson.loads(envelope)["payload"])
