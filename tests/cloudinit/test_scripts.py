"""What runs on the server, run here: real scripts below a root of the test's own; their programs only take notes."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.cloudinit.test_user_data import ITEM, made, written_files

FQDN = "a.example.org"
RECORDER = '#!/bin/bash\necho "$(basename "$0") $*" >>"$RECORD"\n'


class Root:
    """A server's file system with our files on it, and programs that only note how they were called."""

    def __init__(self, path: Path, service: str) -> None:
        self.path, self.service = path, service
        for name, file in written_files(made({"service": service}, fqdn=FQDN)).items():
            target = path / name.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(file["content"])
        for name in ("apt-get", "apt-cache", "systemctl", "docker", "nginx", "certbot", "curl", "sleep"):
            self.program(name)

    def program(self, name: str, more: str = "") -> None:
        path = self.path / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(RECORDER + more)
        path.chmod(0o755)

    def run(self, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs one of our scripts with every absolute path moved under this root."""
        (self.path / "calls").unlink(missing_ok=True)
        text = (self.path / "opt/decabill" / script).read_text()
        for place in ("/opt/decabill", "/etc/", "/var/www", "/var/lib/decabill"):
            text = text.replace(place, f"{self.path}{place}")
        environment = {"PATH": f"{self.path}/bin:{os.environ['PATH']}", "RECORD": str(self.path / "calls")}
        return subprocess.run(
            ["bash", "-c", text, script, *arguments], env=environment, capture_output=True, text=True, timeout=60
        )

    @property
    def calls(self) -> list[str]:
        recorded = self.path / "calls"
        return recorded.read_text().splitlines() if recorded.exists() else []

    def stack_file(self, name: str) -> Path:
        return self.path / "opt/decabill" / self.service / name


@pytest.fixture
def controller(tmp_path: Path) -> Root:
    return Root(tmp_path, "controller")


def test_the_first_boot_installs_makes_secrets_and_starts_the_stack(controller: Root) -> None:
    ran = controller.run("setup.sh", "controller")
    assert ran.returncode == 0, ran.stderr
    generated = dict(line.split("=") for line in controller.stack_file("generated.env").read_text().splitlines())
    assert generated.keys() == {"DB_PASSWORD", "JWT_SECRET", "ENCRYPTION_KEY"}
    assert len(set(generated.values())) == 3
    assert {len(value) for value in generated.values()} == {64}
    assert controller.stack_file("database.env").read_text() == f"POSTGRES_PASSWORD={generated['DB_PASSWORD']}\n"
    for name in ("generated.env", "database.env"):
        assert controller.stack_file(name).stat().st_mode & 0o777 == 0o600
    assert not [
        secret for secret in generated.values() if secret in ran.stdout + ran.stderr + "".join(controller.calls)
    ]
    [install] = [call for call in controller.calls if "install" in call]
    assert " docker.io docker-compose-v2 nginx certbot " in install
    assert "systemctl enable --now decabill-certificate.timer" in controller.calls
    assert controller.calls[-1].startswith("docker compose ")


def test_the_first_boot_may_be_repeated(controller: Root) -> None:
    controller.run("setup.sh", "controller")
    before = controller.stack_file("generated.env").read_text()
    assert controller.run("setup.sh", "controller").returncode == 0
    assert controller.stack_file("generated.env").read_text() == before


def test_debian_has_compose_under_another_name(controller: Root) -> None:
    controller.program("apt-cache", "exit 100\n")
    controller.run("setup.sh", "controller")
    assert [call for call in controller.calls if " docker.io docker-cli docker-compose nginx " in call]


def test_a_manager_gets_a_key_of_its_own_where_none_was_brought(tmp_path: Path) -> None:
    manager = Root(tmp_path, "manager")
    assert manager.run("setup.sh", "manager", "make-api-key").returncode == 0
    names = [line.split("=")[0] for line in manager.stack_file("generated.env").read_text().splitlines()]
    assert names == ["JWT_SECRET", "ENCRYPTION_KEY", "STATIC_API_KEY"]
    assert not manager.stack_file("database.env").exists()


def test_what_fails_is_tried_again_but_not_for_ever(controller: Root) -> None:
    controller.program("docker", "exit 1\n")
    ran = controller.run("setup.sh", "controller")
    assert ran.returncode != 0
    assert "gave up after 20 tries" in ran.stderr
    assert len([call for call in controller.calls if call.startswith("docker compose")]) == 20


def test_a_certificate_is_asked_for_once_the_name_leads_here(controller: Root) -> None:
    controller.program("curl", f"printf %s {ITEM}\n")
    ran = controller.run("certificate.sh", FQDN, ITEM)
    assert ran.returncode == 0, ran.stderr
    [asked] = [call for call in controller.calls if call.startswith("certbot")]
    assert f"--cert-name {FQDN} --domain {FQDN}" in asked
    assert "listen 443 ssl" in (controller.path / "etc/nginx/conf.d/decabill.conf").read_text()
    assert controller.calls[-2:] == ["systemctl reload nginx", "systemctl disable --now decabill-certificate.timer"]


def test_while_the_name_leads_elsewhere_nothing_is_asked_for(controller: Root) -> None:
    controller.program("curl", "printf %s somebody-else\n")
    ran = controller.run("certificate.sh", FQDN, ITEM)
    assert ran.returncode == 0
    assert "does not lead here yet (try 1 of 672)" in ran.stderr
    assert {call.split()[0] for call in controller.calls} == {"curl", "sleep"}
    probe = controller.path / "var/www/decabill/.well-known/acme-challenge/decabill"
    assert probe.read_text() == ITEM


def test_a_certificate_refused_leaves_http_and_the_timer(controller: Root) -> None:
    controller.program("curl", f"printf %s {ITEM}\n")
    controller.program("certbot", "exit 1\n")
    assert controller.run("certificate.sh", FQDN, ITEM).returncode != 0
    assert "listen 443" not in (controller.path / "etc/nginx/conf.d/decabill.conf").read_text()
    assert not [call for call in controller.calls if "disable" in call]


def test_after_a_week_nobody_asks_any_more(controller: Root) -> None:
    tries = controller.path / "var/lib/decabill/certificate.tries"
    tries.parent.mkdir(parents=True)
    tries.write_text("672\n")
    assert controller.run("certificate.sh", FQDN, ITEM).returncode == 0
    assert controller.calls == ["systemctl disable --now decabill-certificate.timer"]
