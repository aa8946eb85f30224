"""Documents as files: where they are, who may read them, and that a lost one comes back as it was."""

import asyncio
import stat

import pytest
from msgspec.structs import replace

from decabilld.gateways.documents.document import DocumentImpossible
from decabilld.gateways.documents.renderer import DocumentRenderer
from decabilld.gateways.documents.storage import DocumentStorage
from tests.documents.examples import BERLIN, invoice

INVOICE = invoice()
NUMBER = "INV-2026-00042"


@pytest.fixture
async def renderer():
    renderer = DocumentRenderer(BERLIN, workers=2)
    yield renderer
    await renderer.close()


@pytest.fixture
def storage(tmp_path, renderer):
    return DocumentStorage(tmp_path / "documents", renderer.render)


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


async def test_a_document_is_made_once_and_kept_for_the_daemon_alone(storage, tmp_path):
    made = await storage.document(INVOICE, "invoice", "acme")
    path = tmp_path / "documents" / "acme" / "2026" / f"{NUMBER}.pdf"
    assert path.read_bytes() == made
    assert storage.path_of("acme", NUMBER) == path
    assert mode(path) == 0o600
    assert {mode(directory) for directory in (path.parent, path.parent.parent, tmp_path / "documents")} == {0o700}
    assert list(path.parent.iterdir()) == [path], "no draft is left"
    written = path.stat().st_mtime_ns
    assert await storage.document(INVOICE, "invoice", "acme") == made
    assert path.stat().st_mtime_ns == written


async def test_a_lost_file_is_made_again_with_the_same_bytes(storage):
    made = await storage.document(INVOICE, "credit_note", "acme")
    storage.path_of("acme", f"{NUMBER}-CN").unlink()
    assert await storage.read("acme", f"{NUMBER}-CN") is None
    assert await storage.document(INVOICE, "credit_note", "acme") == made
    assert await storage.read("acme", f"{NUMBER}-CN") == made


async def test_invoice_and_credit_note_and_tenants_are_kept_apart(storage):
    await storage.document(INVOICE, "invoice", "acme")
    assert await storage.read("acme", f"{NUMBER}-CN") is None
    assert await storage.read("other", NUMBER) is None


async def test_many_who_ask_at_once_get_one_rendering(tmp_path, renderer):
    rendered = []

    async def render(example, kind):
        rendered.append(kind)
        return await renderer.render(example, kind)

    storage = DocumentStorage(tmp_path, render)
    made = await asyncio.gather(*(storage.document(INVOICE, "invoice", "acme") for _ in range(20)))
    assert len(set(made)) == 1
    assert rendered == ["invoice"]
    assert not storage._making, "nothing is remembered about documents that are there"


async def test_the_next_one_makes_it_when_the_first_gives_up(tmp_path, renderer):
    storage = DocumentStorage(tmp_path, renderer.render)
    first, second = (asyncio.ensure_future(storage.document(INVOICE, "invoice", "acme")) for _ in range(2))
    await asyncio.sleep(0.01)
    first.cancel()
    assert (await second)[:5] == b"%PDF-"
    assert first.cancelled()


async def test_a_rendering_that_fails_leaves_nothing(storage):
    with pytest.raises(DocumentImpossible):
        await storage.document(replace(INVOICE, seller=None), "invoice", "acme")
    assert await storage.read("acme", NUMBER) is None


async def test_a_draft_has_no_document(storage):
    with pytest.raises(DocumentImpossible, match="has no credit note yet"):
        await storage.document(replace(INVOICE, credit_note_number=None), "credit_note", "acme")


@pytest.mark.parametrize("tenant", ["..", ".", "../..", "a/b", "/etc", "a\x00b", "täglich", "acme.example", ".hidden"])
def test_no_tenant_leads_out_of_the_root(tmp_path, tenant):
    path = DocumentStorage(tmp_path, None).path_of(tenant, NUMBER)
    assert path.resolve().parent.parent.parent == tmp_path.resolve()


def test_tenants_never_share_a_directory(tmp_path):
    storage = DocumentStorage(tmp_path, None)
    tenants = ["a.b", "a%2Eb", "a/b", "a%2Fb", "..", "%2E%2E", "A.b"]
    assert len({storage.path_of(tenant, NUMBER) for tenant in tenants}) == len(tenants)


@pytest.mark.parametrize(
    "number",
    ["", "INV-2026-1", "../INV-2026-00001", "INV-2026-00001/..", "INV-2026-00001\n", "INV-2026-٠٠٠٠١", "SUB-000001"],
)
def test_only_numbers_of_documents_name_files(tmp_path, number):
    with pytest.raises(ValueError, match="is not the number"):
        DocumentStorage(tmp_path, None).path_of("acme", number)


def test_numbers_may_have_more_than_five_digits(tmp_path):
    path = DocumentStorage(tmp_path, None).path_of("acme", "INV-2031-1234567-CN")
    assert path == tmp_path / "acme" / "2031" / "INV-2031-1234567-CN.pdf"
