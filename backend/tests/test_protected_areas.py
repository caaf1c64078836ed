"""What others rely on in the protected areas; who changes it changes this test with it, knowingly."""

import re
from datetime import timedelta
from pathlib import Path

import jwt
from pydantic import SecretStr

from backend.core.ids import UserId, uuid7
from backend.core.settings import REPOSITORY, Settings
from backend.security.jwt_service import JwtService
from backend.security.signing_keys import new_jwk
from backend.tests.moments import NOW

AREAS = [
    "backend/auth/api/routes.py",
    "backend/auth/service/auth_service.py",
    "backend/security/jwt_service.py",
    "frontend/vite.config.ts",
    "frontend/.env",
]


def test_each_area_has_an_owner_and_a_reason() -> None:
    owners = (REPOSITORY / "CODEOWNERS").read_text()
    roadmap = (REPOSITORY / "FEATURE_ROADMAP.md").read_text()
    for area in AREAS:
        assert (REPOSITORY / area).is_file()
        assert re.search(rf"^/{re.escape(area)}\s+@", owners, re.MULTILINE), area
        assert f"| `{area}` |" in roadmap


def test_access_tokens_say_what_they_always_said(tmp_path: Path) -> None:
    settings = Settings(_env_file=None, feature_home=tmp_path, jwt_jwk_current=SecretStr(new_jwk()))
    user_id, session_id = UserId(uuid7()), uuid7()
    token = JwtService.from_settings(settings).issue_access(user_id, session_id, now=NOW)
    header = jwt.get_unverified_header(token)
    claims = jwt.decode(token, options={"verify_signature": False})
    assert (header["alg"], header["typ"]) == ("ES256", "at+jwt")
    assert header["kid"]
    assert set(claims) == {"iss", "aud", "sub", "sid", "iat", "exp", "jti"}
    assert (claims["iss"], claims["aud"]) == ("feature-auth", "feature-auth-clients")
    assert (claims["sub"], claims["sid"]) == (str(user_id), str(session_id))
    assert timedelta(seconds=claims["exp"] - claims["iat"]) == timedelta(seconds=420)


def test_the_proxy_table_is_complete() -> None:
    config = (REPOSITORY / "frontend" / "vite.config.ts").read_text()
    table = re.search(r"proxy: \{(.*?)\}", config, re.DOTALL)
    assert table is not None
    assert set(re.findall(r"'(/[^']+)': api", table.group(1))) == {"/v1", "/health", "/docs", "/openapi.json", "/dev"}
    assert "port: 5173" in config
    assert "http://127.0.0.1:8000" in config


def test_the_web_app_knows_no_address_of_the_api() -> None:
    lines = (REPOSITORY / "frontend" / ".env").read_text().splitlines()
    assert "# VITE_API_BASE_URL=" in lines
    active = [line for line in lines if line and not line.startswith("#")]
    assert all(line.startswith("VITE_") and not line.startswith("VITE_API_BASE_URL") for line in active)
