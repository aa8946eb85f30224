"""User data as those judge it who will read it: cloud-init, shells, nginx, compose's own rules."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from marshmallow import Schema, fields

from decabilld.actors.provider import ProviderRefused
from decabilld.gateways.cloudinit import LONGEST_BYTES, StackImages, user_data
from decabilld.gateways.cloudinit.stack import VARIABLES, override_file
from decabilld.gateways.ssh import new_key_pair
from decabilld.http.schemas.subscriptions import RequestedConfigSchema
from tests.cloudinit.tools import found

ITEM = "6f1f0f5e-5a39-4c0b-9d3c-8a9b1d6f7e10"
USER, HOST = new_key_pair(), new_key_pair()
IMAGES = StackImages(
    controller="registry.example/controller:3", manager="registry.example/manager:3", database="postgres:17-alpine"
)
FULL: dict[str, Any] = {
    "location": "fsn1",
    "serverType": "cx22",
    "authenticationMethod": "api-key",
    "staticApiKey": "SECRET-1 $HOME ${X} $$ 'a' \"b\" \\ #c: {d}",
    "disableSignup": True,
    "smtp": {"host": "mail", "port": 587.0, "user": "u", "password": "SECRET-2\nSECRET-3\n", "from": "A <a@b.example>"},
    "keycloak": {"serverUrl": "https://k", "realm": "r", "clientId": "c", "clientSecret": "SECRET-4 no"},
    "hetznerApiToken": "SECRET-5",
    "digitaloceanApiToken": "SECRET-6",
    "git": {"privateKey": "-----BEGIN\nSECRET-7\n-----END\n", "token": "SECRET-8", "password": "SECRET-9 `id` $(id)"},
    "cursorApiKey": "SECRET-10 ü 🦊 \x7f\u2028",
}
LAW = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def made(config: dict[str, Any], *, fqdn: str | None = "able-fox-23456.cloud.example.org", **changed: Any) -> str:
    given = {
        "images": IMAGES,
        "item_id": ITEM,
        "hostname": "able-fox-23456",
        "fqdn": fqdn,
        "ssh_public_key": USER.public,
        "host_private_key": HOST.private,
        "host_public_key": HOST.public,
    }
    return user_data(config, **{**given, **changed})


def written_files(text: str) -> dict[str, dict[str, str]]:
    return {file["path"]: file for file in yaml.safe_load(text)["write_files"]}


def compose_reads(text: str) -> str:
    """What compose makes of a value: `$$` is a dollar, a single one would be a variable."""
    assert "$" not in text.replace("$$", "")
    return text.replace("$$", "$")


CASES = [
    pytest.param({"service": "controller"}, None, id="controller"),
    pytest.param({"service": "manager"}, None, id="manager"),
    pytest.param({**FULL, "service": "controller"}, "a.example.org", id="everything"),
    pytest.param({**FULL, "service": "manager"}, "a.example.org", id="everything for a manager"),
]


@pytest.mark.parametrize(("config", "fqdn"), CASES)
def test_cloud_init_finds_no_fault(config: dict[str, Any], fqdn: str | None, tmp_path: Path) -> None:
    cloud_init, path = found("cloud-init"), tmp_path / "user-data"
    path.write_text(made(config, fqdn=fqdn))
    judged = subprocess.run([cloud_init, "schema", "-c", path], capture_output=True, text=True, timeout=60)
    assert judged.returncode == 0, judged.stdout + judged.stderr
    assert "Valid cloud-config" in judged.stdout


def test_cloud_init_would_find_one(tmp_path: Path) -> None:
    cloud_init, path = found("cloud-init"), tmp_path / "user-data"
    path.write_text(made({"service": "manager"}).replace("permissions: '0600'", "permissions: [0600]"))
    judged = subprocess.run([cloud_init, "schema", "-c", path], capture_output=True, text=True, timeout=60)
    assert judged.returncode != 0


@pytest.mark.parametrize(("config", "fqdn"), CASES)
def test_the_scripts_are_sound(config: dict[str, Any], fqdn: str | None, tmp_path: Path) -> None:
    shellcheck = found("shellcheck")
    scripts = [file for path, file in written_files(made(config, fqdn=fqdn)).items() if path.endswith(".sh")]
    assert len(scripts) == (1 if fqdn is None else 2)
    for number, script in enumerate(scripts):
        path = tmp_path / f"{number}.sh"
        path.write_text(script["content"])
        subprocess.run(["bash", "-n", path], check=True, timeout=10)
        judged = subprocess.run([shellcheck, path], capture_output=True, text=True, timeout=30)
        assert judged.returncode == 0, judged.stdout


@pytest.mark.parametrize("fqdn", [None, "a.example.org"])
def test_nginx_finds_no_fault(fqdn: str | None, tmp_path: Path) -> None:
    nginx = found("nginx")
    written = written_files(made({"service": "controller"}, fqdn=fqdn))
    proxy = tmp_path / "proxy.conf"
    proxy.write_text(written["/opt/decabill/nginx-proxy.conf"]["content"])
    _certificate(tmp_path)
    sites = [written["/etc/nginx/conf.d/decabill.conf"]["content"]]
    if fqdn is not None:
        sites.append(written["/opt/decabill/nginx-https.conf"]["content"])
    for number, site in enumerate(sites):
        assert f"server_name {fqdn or '_'};" in site
        here = re.sub(r"/etc/letsencrypt/live/[^/]+", str(tmp_path), site).replace(
            "/opt/decabill/nginx-proxy.conf", str(proxy)
        )
        main = tmp_path / f"{number}.conf"
        main.write_text(f"pid {tmp_path}/pid;\nerror_log stderr;\nevents {{}}\nhttp {{\naccess_log off;\n{here}\n}}\n")
        judged = subprocess.run([nginx, "-t", "-c", main], capture_output=True, text=True, timeout=30)
        assert judged.returncode == 0, judged.stderr


def _certificate(directory: Path) -> None:
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-subj", "/CN=a.example.org", "-days", "1"),
            *("-keyout", directory / "privkey.pem", "-out", directory / "fullchain.pem"),
        ],
        check=True,
        capture_output=True,
        timeout=30,
    )


@pytest.mark.parametrize("service", ["controller", "manager"])
def test_secrets_are_in_the_one_file_that_needs_them(service: str) -> None:
    text = made({**FULL, "service": service})
    for path, file in written_files(text).items():
        holds = "SECRET-" in file["content"]
        assert holds == path.endswith(f"{service}/compose.override.yaml"), path
        assert file["owner"] == "root:root"
        assert file["permissions"] == ("0600" if holds else "0644")
    cloud_config = yaml.safe_load(text)
    assert "SECRET-" not in yaml.dump({name: value for name, value in cloud_config.items() if name != "write_files"})
    assert cloud_config["runcmd"] == [["bash", "/opt/decabill/setup.sh", service]]


def test_the_container_gets_the_settings_as_they_were_requested() -> None:
    written = written_files(made({**FULL, "service": "controller"}))["/opt/decabill/controller/compose.override.yaml"]
    environment = yaml.safe_load(written["content"])["services"]["controller"]["environment"]
    read = {name: compose_reads(text) for name, text in environment.items()}
    assert read == {
        "AUTHENTICATION_METHOD": "api-key",
        "STATIC_API_KEY": FULL["staticApiKey"],
        "DISABLE_SIGNUP": "true",
        "SMTP_HOST": "mail",
        "SMTP_PORT": "587",
        "SMTP_USER": "u",
        "SMTP_PASSWORD": "SECRET-2\nSECRET-3\n",
        "EMAIL_FROM": "A <a@b.example>",
        "KEYCLOAK_SERVER_URL": "https://k",
        "KEYCLOAK_REALM": "r",
        "KEYCLOAK_CLIENT_ID": "c",
        "KEYCLOAK_CLIENT_SECRET": "SECRET-4 no",
        "HETZNER_API_TOKEN": "SECRET-5",
        "DIGITALOCEAN_API_TOKEN": "SECRET-6",
        "GIT_PRIVATE_KEY": FULL["git"]["privateKey"],
        "GIT_TOKEN": "SECRET-8",
        "GIT_PASSWORD": "SECRET-9 `id` $(id)",
        "CURSOR_API_KEY": FULL["cursorApiKey"],
        "PUBLIC_URL": "https://able-fox-23456.cloud.example.org",
    }


@LAW
@given(st.text(alphabet=st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_any_text_comes_through_user_data_and_compose_unchanged(text: str) -> None:
    given = made({"service": "manager", "smtp": {"password": text}, "cursorApiKey": "1e5"})
    written = written_files(given)["/opt/decabill/manager/compose.override.yaml"]["content"]
    environment = yaml.safe_load(written)["services"]["manager"]["environment"]
    assert compose_reads(environment["SMTP_PASSWORD"]) == text
    assert '"CURSOR_API_KEY": "1e5"' in written  # quoted, or compose reads a number


@pytest.mark.parametrize("value", ["a\0b", "\ud800", ["a"], {"a": 1}])
def test_what_no_container_can_be_handed_is_refused_without_telling_it(value: Any) -> None:
    with pytest.raises(ProviderRefused, match=r"^smtp.password of the configuration can't be handed") as refused:
        override_file("manager", {"smtp": {"password": value}}, fqdn=None)
    assert str(value) not in str(refused.value)


def test_a_setting_that_should_be_an_object_is_refused() -> None:
    with pytest.raises(ProviderRefused, match="smtp of the configuration is not an object"):
        override_file("manager", {"smtp": "mail"}, fqdn=None)


def test_every_setting_that_a_customer_can_send_reaches_the_container() -> None:
    def sent(schema: Schema, *path: str) -> Iterator[tuple[str, ...]]:
        for name, field in schema.fields.items():
            here = (*path, field.data_key or name)
            yield from sent(field.schema, *here) if isinstance(field, fields.Nested) else [here]

    what_to_make = {("service",), ("region",), ("location",), ("serverType",)}
    assert {path for _, path in VARIABLES} == set(sent(RequestedConfigSchema())) - what_to_make


def test_the_controller_has_a_database_and_the_manager_a_volume() -> None:
    controller = yaml.safe_load(
        written_files(made({"service": "controller"}))["/opt/decabill/controller/compose.yaml"]["content"]
    )
    manager = yaml.safe_load(
        written_files(made({"service": "manager"}))["/opt/decabill/manager/compose.yaml"]["content"]
    )
    assert {name: part["image"] for name, part in controller["services"].items()} == {
        "controller": IMAGES.controller,
        "database": IMAGES.database,
    }
    assert {name: part["image"] for name, part in manager["services"].items()} == {"manager": IMAGES.manager}
    for stack in (controller, manager):
        for container in stack["services"].values():
            assert container["restart"] == "unless-stopped"
            assert all(port.startswith("127.0.0.1:") for port in container.get("ports", ()))
            named = {volume.split(":")[0] for volume in container.get("volumes", ())}
            assert named <= stack["volumes"].keys()
            for needed in container.get("depends_on", ()):
                assert "healthcheck" in stack["services"][needed]


def test_only_our_key_gets_in_and_the_host_key_is_the_pinned_one() -> None:
    told = yaml.safe_load(made({"service": "manager"}))
    assert told["ssh_authorized_keys"] == [USER.public]
    assert told["ssh_keys"] == {"ed25519_private": HOST.private, "ed25519_public": HOST.public}
    assert (told["ssh_deletekeys"], told["ssh_pwauth"], told["disable_root"]) == (True, False, False)
    assert [user["name"] for user in told["users"]] == ["root"]
    assert (
        "PasswordAuthentication no"
        in written_files(made({"service": "manager"}))["/etc/ssh/sshd_config.d/00-decabill.conf"]["content"]
    )
    assert USER.private.splitlines()[4] not in made({"service": "manager"})


def test_without_a_domain_there_is_no_certificate_to_ask_for() -> None:
    told = made({"service": "manager"}, fqdn=None)
    assert not [path for path in written_files(told) if "certificate" in path or "https" in path]
    assert "fqdn" not in yaml.safe_load(told)
    with_domain = written_files(made({"service": "manager"}))
    assert ITEM in with_domain["/etc/systemd/system/decabill-certificate.service"]["content"]


@pytest.mark.parametrize(
    ("config", "argument"),
    [
        ({"authenticationMethod": "api-key"}, ["make-api-key"]),
        ({"authenticationMethod": "api-key", "staticApiKey": "k"}, []),
        ({"authenticationMethod": "keycloak"}, []),
        ({}, []),
    ],
)
def test_a_key_that_nobody_brought_is_made_on_the_server(config: dict[str, Any], argument: list[str]) -> None:
    assert yaml.safe_load(made({"service": "manager", **config}))["runcmd"][0][3:] == argument


def test_user_data_has_a_limit_that_common_keys_stay_far_below() -> None:
    assert len(made({**FULL, "service": "controller"}).encode()) < LONGEST_BYTES / 2
    key = "-----BEGIN OPENSSH PRIVATE KEY-----\n" + 50 * ("A" * 70 + "\n") + "-----END OPENSSH PRIVATE KEY-----\n"
    assert len(made({**FULL, "git": {"privateKey": key}, "service": "controller"}).encode()) < LONGEST_BYTES
    with pytest.raises(ProviderRefused, match=r"makes \d+ bytes of user data, 32768 are allowed"):
        made({"service": "controller", "git": {"privateKey": "A" * 32_768}})


@pytest.mark.parametrize(
    ("config", "changed"),
    [
        ({}, {}),
        ({"service": "toaster"}, {}),
        ({"service": "manager"}, {"hostname": "a b"}),
        ({"service": "manager"}, {"images": StackImages(controller="c", manager=None, database="d")}),
        ({"service": "manager"}, {"fqdn": "a.example.org; reboot"}),
        ({"service": "manager"}, {"fqdn": "example"}),
    ],
)
def test_what_makes_no_server_is_refused(config: dict[str, Any], changed: dict[str, Any]) -> None:
    with pytest.raises(ProviderRefused):
        made(config, **changed)


def test_docker_reads_the_settings_as_we_meant_them(tmp_path: Path) -> None:
    """Docker's own reader of compose files; its client alone, as there is no daemon here."""
    docker = shutil.which("docker")
    if docker is None:
        pytest.skip("there is no docker client here")
    told = {**FULL, "service": "manager"}
    path = tmp_path / "compose.yaml"
    path.write_text(
        '"version": "3.9"\n'
        + override_file("manager", told, fqdn=None).replace('"environment":', '"image": "i"\n    "environment":')
    )
    read = subprocess.run(
        [docker, "stack", "config", "-c", path],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "X": "leaked"},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert read.returncode == 0, read.stderr
    environment = yaml.safe_load(read.stdout)["services"]["manager"]["environment"]
    assert environment["STATIC_API_KEY"] == FULL["staticApiKey"]
    assert environment["GIT_PRIVATE_KEY"] == FULL["git"]["privateKey"]
    assert environment["SMTP_PORT"] == "587"
