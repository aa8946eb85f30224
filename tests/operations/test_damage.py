"""Every kind of damage is found and named: by the file's checksums, else by the chain, the numbers and the sums."""

import random
from pathlib import Path

import pytest

from decabilld.backup import container
from decabilld.backup.container import Damaged
from decabilld.backup.restoring import Unsound
from tests.operations.archives import backed_up, forged, restored, rows, sql

INVOICE = "INV-2024-00001"


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Some members of all lengths, as a file of 25 kB."""
    dice = random.Random(7)
    file = tmp_path / "archive.tar"
    with file.open("wb") as opened:
        writer = container.Writer(opened)
        for n, size in enumerate((0, 1, 511, 512, 513, 10_000)):
            writer.add(f"rows/table/{n}", container.packed(dice.randbytes(size)))
        writer.add("documents/acme/" + 110 * "n" + ".pdf", b"long name")
        writer.finish()
    return file


def test_one_flipped_byte_anywhere_is_found(archive: Path, tmp_path: Path) -> None:
    whole = archive.read_bytes()
    container.check(archive, lambda _: None)
    damaged = tmp_path / "damaged.tar"
    dice = random.Random(8)
    for at in {*range(0, len(whole), 97), *range(len(whole) - 2_048, len(whole), 13), 0, len(whole) - 1}:
        damaged.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << dice.randrange(8)]) + whole[at + 1 :])
        with pytest.raises(Damaged):
            container.check(damaged, lambda _: None)
    for cut in (0, 1, 1_000, len(whole) - 1_024, len(whole) - 1):
        damaged.write_bytes(whole[:cut])
        with pytest.raises(Damaged):
            container.check(damaged, lambda _: None)
    damaged.write_bytes(whole + b"\0")
    with pytest.raises(Damaged):
        container.check(damaged, lambda _: None)


def test_the_damaged_part_is_named(archive: Path) -> None:
    whole = bytearray(archive.read_bytes())
    names = {name for name, _ in container.members(archive)}
    for name, content in list(container.members(archive)):
        at = bytes(whole).index(content)
        whole[at] ^= 4
        archive.write_bytes(whole)
        with pytest.raises(Damaged, match=f"^{name} is not as it was written"):
            container.check(archive, lambda _: None)
        whole[at] ^= 4
    assert len(names) == 7


def test_what_is_no_backup_is_refused(tmp_path: Path) -> None:
    for content in (b"", b"hello", bytes(4_096)):
        (tmp_path / "no.tar").write_bytes(content)
        with pytest.raises(Damaged):
            container.check(tmp_path / "no.tar", lambda _: None)


def test_a_page_that_would_unpack_to_gigabytes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container, "CONTENT_BYTES_MAX", 1_000)
    with pytest.raises(Damaged, match="bomb"):
        container.unpacked("bomb", container.packed(bytes(1_001)))
    assert container.unpacked("fine", container.packed(bytes(1_000))) == bytes(1_000)


TAMPERED = {
    "a deleted journal row": (
        "DELETE FROM journal WHERE tenant_id = 'acme' AND seq = 7",
        "journal entry 7 was removed",
    ),
    "a journal's cut-off end": (
        "DELETE FROM journal j USING tenant_heads h WHERE j.tenant_id = 'acme' AND h.tenant_id = 'acme' "
        "AND j.seq = h.seq",
        "was removed",
    ),
    "a journal's changed word": (
        "UPDATE journal SET message = message || '.' WHERE tenant_id = 'acme' AND seq = 3",
        "journal entry 3 was changed",
    ),
    "a changed total": (
        f"UPDATE invoices SET total_gross_minor = total_gross_minor + 1, subtotal_net_minor = subtotal_net_minor + 1 "
        f"WHERE tenant_id = 'acme' AND number = '{INVOICE}'",
        f"acme: {INVOICE}: totals are not the sums of its lines",
    ),
    "a changed payment": (
        "UPDATE payments SET amount_minor = amount_minor + 1 WHERE tenant_id = 'acme'",
        f"{INVOICE}: paid is not the sum of its payments",
    ),
}


@pytest.mark.heavy
@pytest.mark.parametrize("what", TAMPERED)
async def test_a_database_tampered_with_before_its_backup_is_found_out(
    what: str, documents: Path, database: str, empty: str, tmp_path: Path
) -> None:
    change, named = TAMPERED[what]
    sql(database, change)
    await backed_up(database, tmp_path / "all.tar", documents)
    with pytest.raises(Unsound) as found:
        await restored(empty, tmp_path / "all.tar", tmp_path / "back")
    assert any(named in fault for fault in found.value.faults), found.value.faults
    assert not any(fault.startswith("other:") for fault in found.value.faults), "the other tenant is sound"
    assert rows(empty) == {}, "nothing is left"
    await restored(empty, tmp_path / "all.tar", tmp_path / "back", verify=False)
    assert rows(empty) == rows(database), "whoever wants it all the same gets it"


async def test_rows_whose_invoice_is_gone_are_named(documents: Path, database: str, empty: str, tmp_path: Path) -> None:
    ((invoice_id,),) = sql(database, f"SELECT id FROM invoices WHERE tenant_id = 'acme' AND number = '{INVOICE}'")
    sql(database, f"DELETE FROM invoices WHERE id = '{invoice_id}'")
    await backed_up(database, tmp_path / "all.tar", documents)
    with pytest.raises(Damaged, match=rf"rows/\w+/000001\.jsonl\.gz doesn't fit: .*\(acme, {invoice_id}\)"):
        await restored(empty, tmp_path / "all.tar", tmp_path / "back")


@pytest.mark.parametrize("manifest_too", [False, True])
async def test_an_amount_changed_in_an_archive_with_right_checksums_is_found_out(
    manifest_too: bool, documents: Path, database: str, empty: str, tmp_path: Path
) -> None:
    await backed_up(database, tmp_path / "all.tar", documents)

    def richer(invoices: list[str]) -> list[str]:
        return [one.replace('"paid_minor":', '"paid_minor":1') if f'"{INVOICE}"' in one else one for one in invoices]

    file = forged(tmp_path / "all.tar", "invoices", richer, manifest_too=manifest_too)
    named = f"acme: {INVOICE}: balance is not gross" if manifest_too else "invoices: its rows are not those"
    with pytest.raises(Unsound, match=named):
        await restored(empty, file, tmp_path / "back")


@pytest.mark.parametrize("manifest_too", [False, True])
async def test_a_journal_row_taken_out_of_an_archive_with_right_checksums_is_found_out(
    manifest_too: bool, documents: Path, database: str, empty: str, tmp_path: Path
) -> None:
    await backed_up(database, tmp_path / "all.tar", documents)

    def fewer(entries: list[str]) -> list[str]:
        return [one for one in entries if not one.startswith('{"tenant_id":"acme","seq":5,')]

    file = forged(tmp_path / "all.tar", "journal", fewer, manifest_too=manifest_too)
    with pytest.raises(Unsound, match="acme: journal entry 5 was removed" if manifest_too else "journal: .* rows, not"):
        await restored(empty, file, tmp_path / "back")


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        (b'"format": 1', b'"format": 2', "format 2; this version reads format 1"),
        (b'"tenant": null', b'"tenant": "nobody"', "lacks the schema, or the tenant"),
        (b'"name": "users"', b'"name": "losers"', "a table losers that its schema lacks"),
        (b'"rows":', b'"row":', "manifest.json can't be read"),
    ],
)
async def test_a_manifest_that_makes_no_sense_is_refused(
    old: bytes, new: bytes, named: str, database: str, empty: str, tmp_path: Path
) -> None:
    await backed_up(database, tmp_path / "all.tar", tmp_path)
    with (tmp_path / "odd.tar").open("wb") as opened:
        writer = container.Writer(opened)
        for name, content in container.members(tmp_path / "all.tar"):
            writer.add(name, content.replace(old, new) if name == "manifest.json" else content)
        writer.finish()
    with pytest.raises(Damaged, match=named):
        await restored(empty, tmp_path / "odd.tar", tmp_path / "back")


async def test_a_number_that_leads_out_of_the_documents_is_refused(
    documents: Path, database: str, empty: str, tmp_path: Path
) -> None:
    await backed_up(database, tmp_path / "all.tar", documents)
    out = "../../out"
    file = forged(tmp_path / "all.tar", "invoices", lambda lines: [line.replace(INVOICE, out) for line in lines])
    away = tmp_path / "away.tar"
    with away.open("wb") as opened:
        writer = container.Writer(opened)
        for name, content in container.members(file):
            writer.add(name.replace(INVOICE, out), content)
        writer.finish()
    with pytest.raises(Damaged, match="can't be kept"):
        await restored(empty, away, tmp_path / "back", verify=False)


async def test_a_foreign_document_is_refused(documents: Path, database: str, empty: str, tmp_path: Path) -> None:
    await backed_up(database, tmp_path / "all.tar", documents)
    file = tmp_path / "more.tar"
    with file.open("wb") as opened:
        writer = container.Writer(opened)
        for name, content in container.members(tmp_path / "all.tar"):
            if name == "manifest.json":
                writer.add("documents/../../../etc/INV-2024-00001.pdf", b"x")
            writer.add(name, content)
        writer.finish()
    with pytest.raises(Damaged, match="belongs to no invoice"):
        await restored(empty, file, tmp_path / "back")
