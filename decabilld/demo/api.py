"""One caller of one tenant over HTTP: JSON in, JSON out, and a Fault for any answer that wasn't wanted."""

import http.client
import json
from decimal import Decimal
from typing import Any

TIMEOUT_SECONDS = 30.0
PASSWORD = "correct horse battery staple"  # noqa: S105 (of accounts that live for half a minute)


class Fault(Exception):
    """Something is not as it should be; the message names it."""


class Api:
    """Speaks for nobody until `sign_in`. JSON numbers with a point are read as Decimal."""

    def __init__(self, address: str, tenant: str) -> None:
        self._address, self._tenant = address, tenant
        self._token: str | None = None

    def sign_in(self, email: str) -> None:
        answer = self.post("/auth/login", {"email": email, "password": PASSWORD})
        self._token = answer["access_token"]

    def get(self, path: str) -> Any:
        return json.loads(self._call("GET", path), parse_float=Decimal)

    def post(self, path: str, body: object = None) -> Any:
        return json.loads(self._call("POST", path, body), parse_float=Decimal)

    def file(self, path: str) -> bytes:
        return self._call("GET", path)

    def _call(self, method: str, path: str, body: object = None) -> bytes:
        headers = {"X-Tenant": self._tenant, "Content-Type": "application/json"}
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token}"
        connection = http.client.HTTPConnection(self._address, timeout=TIMEOUT_SECONDS)
        try:
            connection.request(method, f"/api{path}", None if body is None else json.dumps(body), headers)
            response = connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise Fault(f"{method} {path} got no answer: {error!r}") from error
        finally:
            connection.close()
        if response.status >= http.client.BAD_REQUEST:
            raise Fault(f"{method} {path} answered {response.status}: {content.decode(errors='replace')}")
        return content
