"""The contract as the daemon serves it: both documents, each as YAML and as JSON."""

import asyncio
from collections.abc import Callable
from functools import cache
from typing import Any

import msgspec
from aiohttp import web

from decabilld.http.call import json_response
from decabilld.http.openapi import as_yaml

SPEC_PATH = "/spec/billing-manager"


def add_document(app: web.Application, name: str, made: Callable[[], dict[str, Any]]) -> None:
    """Serves what `made` makes, when it is asked for first; beside the loop, since it takes a tenth of a second."""
    document = cache(made)
    yaml_bytes = cache(lambda: as_yaml(document()))
    json_bytes = cache(lambda: msgspec.json.encode(document()))

    async def as_it_is(_: web.Request) -> web.Response:
        return web.Response(body=await asyncio.to_thread(yaml_bytes), content_type="application/yaml", charset="utf-8")

    async def in_json(_: web.Request) -> web.Response:
        return json_response(200, await asyncio.to_thread(json_bytes))

    app.router.add_get(f"{SPEC_PATH}/{name}.yaml", as_it_is)
    app.router.add_get(f"{SPEC_PATH}/{name}.json", in_json)
