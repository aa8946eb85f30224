"""The `#cloud-config` of a customer's server: files, keys, and one script to run at the first boot.

Owns their composition; the files themselves are in `files/`, the containers in `stack`. Works on Ubuntu 24.04 and
Debian 13 (Debian 12 has no compose 2).
"""

import re
from collections.abc import Mapping
from importlib import resources
from typing import Any

import yaml

from decabilld.actors.provider import ProviderRefused
from decabilld.domain.entities import Id
from decabilld.domain.provisioning import SERVICES
from decabilld.gateways.cloudinit.stack import STACKS_DIRECTORY, StackImages, compose_file, needs_api_key, override_file

LONGEST_BYTES = 32 * 1024
"""Hetzner's limit; DigitalOcean takes 64 KiB."""

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_FQDN = re.compile(rf"(?:{_LABEL.pattern}\.)+{_LABEL.pattern}")
_FILES = resources.files(__package__) / "files"


class _Dumper(yaml.CSafeDumper):
    """Texts of several lines stay readable; they are most of what is dumped. In C: in Python it held the loop 30 ms."""


def _lines(dumper: yaml.CSafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _lines)


def user_data(
    config: Mapping[str, Any],
    *,
    images: StackImages,
    item_id: Id,
    hostname: str,
    fqdn: str | None,
    ssh_public_key: str,
    host_private_key: str,
    host_public_key: str,
) -> str:
    """The user data of one item's server. Without `fqdn` there is no certificate: http is all it serves.

    `config` is effective (`domain.provisioning`) and says the service. It holds secrets, and so does the result.
    Raises ProviderRefused if the service or its image is missing, a setting can't be handed on, or the result is over
    `LONGEST_BYTES`.
    """
    service = config.get("service")
    if service not in SERVICES:
        raise ProviderRefused(f"service must be one of {', '.join(SERVICES)}")
    if not _LABEL.fullmatch(hostname) or (fqdn is not None and not _FQDN.fullmatch(fqdn)):
        raise ProviderRefused(f"{fqdn or hostname} is no name for a server")
    cloud_config = {
        "hostname": hostname,
        **({"fqdn": fqdn} if fqdn is not None else {}),
        "preserve_hostname": False,
        "users": [{"name": "root", "lock_passwd": True}],  # and no default user
        "disable_root": False,
        "ssh_pwauth": False,
        "ssh_authorized_keys": [ssh_public_key],
        "ssh_deletekeys": True,
        "ssh_keys": {"ed25519_private": host_private_key, "ed25519_public": host_public_key},
        "write_files": _files(service, config, images, item_id, fqdn),
        "runcmd": [
            ["bash", f"{STACKS_DIRECTORY}/setup.sh", service, *(["make-api-key"] if needs_api_key(config) else [])]
        ],
    }
    text = "#cloud-config\n" + yaml.dump(cloud_config, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10**9)
    size = len(text.encode())
    if size > LONGEST_BYTES:
        raise ProviderRefused(
            f"The configuration makes {size} bytes of user data, {LONGEST_BYTES} are allowed: shorten keys and texts"
        )
    return text


def _files(
    service: str, config: Mapping[str, Any], images: StackImages, item_id: Id, fqdn: str | None
) -> list[dict[str, str]]:
    directory = f"{STACKS_DIRECTORY}/{service}"
    names = {"@NAME@": fqdn or "_", "@ITEM@": item_id}
    files = [
        _file(f"{directory}/compose.yaml", compose_file(service, images)),
        _file(f"{directory}/compose.override.yaml", override_file(service, config, fqdn=fqdn), "0600"),
        _file(f"{STACKS_DIRECTORY}/setup.sh", _read("setup.sh")),
        _file(f"{STACKS_DIRECTORY}/nginx-proxy.conf", _read("nginx-proxy.conf")),
        _file("/etc/nginx/conf.d/decabill.conf", _read("nginx-http.conf", names)),
        _file("/etc/ssh/sshd_config.d/00-decabill.conf", _read("sshd.conf")),
        _file("/etc/apt/apt.conf.d/99-decabill", _read("apt.conf")),
        _file("/etc/systemd/system/docker.service.d/decabill.conf", _read("docker.conf")),
    ]
    if fqdn is not None:
        units = "/etc/systemd/system/decabill-certificate"
        files += [
            _file(f"{STACKS_DIRECTORY}/certificate.sh", _read("certificate.sh")),
            _file(f"{STACKS_DIRECTORY}/nginx-https.conf", _read("nginx-https.conf", names)),
            _file(f"{units}.service", _read("certificate.service", names)),
            _file(f"{units}.timer", _read("certificate.timer")),
        ]
    return files


def _file(path: str, content: str, permissions: str = "0644") -> dict[str, str]:
    return {"path": path, "permissions": permissions, "owner": "root:root", "content": content}


def _read(name: str, names: Mapping[str, str] | None = None) -> str:
    text = (_FILES / name).read_text(encoding="utf-8")
    for placeholder, value in (names or {}).items():
        text = text.replace(placeholder, value)
    return text
