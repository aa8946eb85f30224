"""What the operator may say about mail."""

import pytest

from decabilld.settings import SettingsError, load

MAIL = {"SMTP_HOST": "mail.example", "EMAIL_FROM": "Shop <shop@mail.example>"}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"EMAIL_FROM": ""}, "EMAIL_FROM or BILLING_ISSUER_EMAIL must be set together with SMTP_HOST"),
        ({"EMAIL_FROM": "shop"}, "EMAIL_FROM must be an address such as"),
        ({"EMAIL_FROM": "shop@mail.example\nBcc: eve@evil.example"}, "EMAIL_FROM must be an address such as"),
        ({"SMTP_PASSWORD": "s3cret"}, "SMTP_USER must be set together with SMTP_PASSWORD"),
        ({"SMTP_SECURE": "ssl"}, "SMTP_SECURE must be tls, starttls, auto or none"),
        ({"SMTP_PORT": "0"}, "SMTP_PORT must be a whole number from 1"),
        ({"ENCRYPTION_KEY_PREVIOUS": "00" * 32}, "ENCRYPTION_KEY must be set together with ENCRYPTION_KEY_PREVIOUS"),
    ],
)
def test_a_mistake_is_named_before_the_start(changes: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        load({**MAIL, **changes})


@pytest.mark.parametrize(
    ("given", "meant"), [("true", "tls"), ("false", "auto"), ("STARTTLS", "starttls"), ("none", "none")]
)
def test_the_usual_words_for_tls_are_understood(given: str, meant: str) -> None:
    assert load({**MAIL, "SMTP_SECURE": given}).smtp_secure == meant


def test_the_password_may_lie_in_a_file(tmp_path_factory: pytest.TempPathFactory) -> None:
    secret = tmp_path_factory.mktemp("secrets") / "SMTP_PASSWORD"
    secret.write_text("s3cret\n")
    for way in ({"SMTP_PASSWORD_FILE": str(secret)}, {"CREDENTIALS_DIRECTORY": str(secret.parent)}):
        assert load({**MAIL, "SMTP_USER": "shop", **way}).smtp_password == "s3cret"
