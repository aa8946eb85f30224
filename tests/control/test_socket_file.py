"""The control socket: for its owner only, one daemon at a time, wherever the data directory lies."""

import os
import socket
import stat
import tempfile
from itertools import takewhile
from pathlib import Path

import pytest

from decabilld.control.socket_file import ControlSocketTaken, checked, closed, control_path, is_answered, opened


def test_nobody_else_may_speak_through_it(tmp_path: Path) -> None:
    path = control_path(tmp_path)
    with opened(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert is_answered(path)
    closed(path, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_its_mode_never_depends_on_the_umask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the chmod afterwards the file is as narrow: it is made so."""
    monkeypatch.setattr(Path, "chmod", lambda *_: None)
    before = os.umask(0)
    try:
        with opened(control_path(tmp_path)):
            assert stat.S_IMODE(control_path(tmp_path).stat().st_mode) == 0o600
    finally:
        os.umask(before)


def test_what_a_killed_daemon_left_is_replaced(tmp_path: Path) -> None:
    path = control_path(tmp_path)
    opened(path).close()
    assert path.exists()
    assert not is_answered(path)
    with opened(path):
        assert is_answered(path)


def test_a_daemon_that_answers_is_not_pushed_aside(tmp_path: Path) -> None:
    path = control_path(tmp_path)
    with opened(path), pytest.raises(ControlSocketTaken, match="another decabilld answers"):
        opened(path)


def test_a_deep_data_directory_has_its_socket_elsewhere(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    deep.mkdir(parents=True)
    path = control_path(deep)
    with opened(path):
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert is_answered(control_path(deep))
    closed(path, deep)
    assert not path.parent.exists()


def test_no_other_file_is_removed_for_it(tmp_path: Path) -> None:
    control_path(tmp_path).write_text("mine")
    with pytest.raises(ControlSocketTaken, match="no socket"):
        opened(control_path(tmp_path))
    control_path(tmp_path).unlink()
    elsewhere = tmp_path / "elsewhere"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(elsewhere))
        control_path(tmp_path).symlink_to(elsewhere)
        with pytest.raises(ControlSocketTaken, match="no socket"):
            opened(control_path(tmp_path))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_another_user_is_told_whose_it_is(tmp_path: Path) -> None:
    # pytest's own directories are closed to others; how many there are depends on its workers.
    for directory in takewhile(lambda one: one != Path(tempfile.gettempdir()), (tmp_path, *tmp_path.parents)):
        directory.chmod(0o711)
    path = control_path(tmp_path)
    with opened(path):
        os.seteuid(65_534)
        try:
            with pytest.raises(ControlSocketTaken, match="own user only"):
                is_answered(path)
            with pytest.raises(ControlSocketTaken, match="another user"):
                checked(path)
        finally:
            os.seteuid(0)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_a_short_directory_of_somebody_else_is_not_trusted(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    deep.mkdir(parents=True)
    squatted = control_path(deep).parent
    squatted.mkdir()
    try:
        os.chown(squatted, 65_534, 65_534)
        with pytest.raises(ControlSocketTaken, match="not ours"):
            opened(control_path(deep))
    finally:
        squatted.rmdir()
