"""What the pages bundle is what npm has under the pinned versions: nobody has touched it."""

from pathlib import Path

from decabilld.http.pages import ASSETS
from tests.contract.tools import NODE, require_node, run


def test_the_bundled_files_are_the_pinned_packages(tmp_path: Path) -> None:
    require_node()
    run("node", NODE / "vendor.mjs", tmp_path)
    vendored = ASSETS / "vendor"
    names = {path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()}
    assert names == {path.relative_to(vendored) for path in vendored.rglob("*") if path.is_file()}
    changed = [name for name in names if (tmp_path / name).read_bytes() != (vendored / name).read_bytes()]
    assert changed == [], "`make vendor`"
