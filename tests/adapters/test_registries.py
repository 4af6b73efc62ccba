"""Pull credentials from real parts: moto's ECR, a metadata server, Google's token endpoint for key files."""

from __future__ import annotations

import base64
import json
import logging
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from launch_agent.core.pull_secrets import PullCredential
from launch_agent.errors import ConfigError
from launch_agent.registries.amazon import AmazonRegistry
from launch_agent.registries.base import CredentialError, Issued, Place
from launch_agent.registries.credentials import PullCredentials
from launch_agent.registries.google import GoogleRegistry
from launch_agent.registries.selection import connect, find_place
from tests.adapters.conftest import Serve
from tests.adapters.scripted import Reply, Request
from tests.support.agents import free_port
from tests.support.amazon import HOST as ECR
from tests.support.amazon import Amazon

GAR = "europe-west4-docker.pkg.dev"

# ── which registry ──

PLACES: list[tuple[str, dict[str, Any], dict[str, Any], Place | None]] = [
    ("nothing", {}, {}, None),
    ("a type alone", {"type": "ecr"}, {}, None),
    ("ecr by uri", {"type": "ecr", "uri": f"{ECR}/team"}, {}, Place("ecr", ECR, "eu-west-1", True)),
    ("ecr without a type", {"uri": f"{ECR}/team"}, {}, Place("ecr", ECR, "eu-west-1", True)),
    (
        "ecr by parts",
        {"type": "ecr", "account_id": "123456789012", "region": "eu-west-1", "repo_name": "team"},
        {},
        Place("ecr", ECR, "eu-west-1", True),
    ),
    (
        "ecr by parts, as the documentation has it",
        {"type": "ecr", "account_id": "123456789012", "region": "eu-west-1", "repository": "team"},
        {},
        Place("ecr", ECR, "eu-west-1", True),
    ),
    (
        "ecr in China",
        {"account_id": "123456789012", "region": "cn-north-1", "repo_name": "team"},
        {},
        Place("ecr", "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", "cn-north-1", True),
    ),
    ("gar by uri", {"type": "gcr", "uri": f"{GAR}/p/r/i"}, {}, Place("gcr", GAR, "", True)),
    ("gcr.io", {"uri": "eu.gcr.io/p/i"}, {}, Place("gcr", "eu.gcr.io", "", True)),
    (
        "gar by parts",
        {"type": "gcr", "region": "europe-west4", "repository": "r", "image-name": "i", "project": "p"},
        {},
        Place("gcr", GAR, "", True),
    ),
    ("acr", {"type": "acr", "uri": "team.azurecr.io/r"}, {}, Place("acr", "team.azurecr.io", "", True)),
    ("any other", {"uri": "registry.example:5000/r"}, {}, Place("", "registry.example:5000", "", True)),
    ("destination", {}, {"destination": f"{ECR}/team"}, Place("ecr", ECR, "eu-west-1")),
    ("destination beside a type", {"type": "gcr"}, {"destination": f"{ECR}/team"}, Place("ecr", ECR, "eu-west-1")),
    (
        "both: the registry block is the runner's",
        {"uri": f"{GAR}/p/r/i"},
        {"destination": f"{ECR}/team"},
        Place("gcr", GAR, "", True),
    ),
]


@pytest.mark.parametrize(("registry", "builder", "place"), [one[1:] for one in PLACES], ids=[one[0] for one in PLACES])
def test_the_configuration_names_a_registry(
    registry: Mapping[str, Any], builder: Mapping[str, Any], place: Place | None
) -> None:
    assert find_place(registry, builder) == place


def test_a_type_that_is_not_the_hosts_is_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        find_place({"type": "gcr", "uri": f"{ECR}/team"}, {})
    assert str(caught.value) == (
        f"registry.type is gcr, but the host {ECR} is Amazon's (ecr). "
        "Correct registry.type or registry.uri; without a type the host decides."
    )
    with pytest.raises(ConfigError, match="is none of Amazon's, Google's or Azure's"):
        find_place({"type": "ecr", "uri": "registry.example/team"}, {})


@pytest.mark.parametrize("place", [None, Place("acr", "team.azurecr.io"), Place("", "registry.example")])
def test_a_registry_whose_nodes_need_no_credential_of_ours_gives_none(place: Place | None) -> None:
    assert connect(place, {}) is None


# ── Amazon ──


@pytest.fixture(scope="module")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of moto's server: AWS's API, without AWS."""
    server = Amazon(tmp_path_factory.mktemp("moto"))
    yield server.url
    server.close()


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """An environment without anything of AWS's but what a test sets."""
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    return monkeypatch


def with_key(aws: pytest.MonkeyPatch, url: str) -> None:
    aws.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    aws.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    aws.setenv("AWS_ENDPOINT_URL_ECR", url)


def test_amazon_gives_a_password_filed_under_its_host(aws: pytest.MonkeyPatch, moto: str) -> None:
    with_key(aws, moto)
    registry = connect(Place("ecr", ECR, "eu-west-1"), {})
    assert registry is not None
    issued = registry.issue()
    assert issued.credential == PullCredential(ECR, "AWS", "123456789012-auth-token")
    assert "auth-token" not in repr(issued)


def test_without_credentials_amazons_registry_says_so(aws: pytest.MonkeyPatch) -> None:
    with pytest.raises(CredentialError) as caught:
        AmazonRegistry(ECR, "eu-west-1").issue()
    assert str(caught.value) == (
        f"AWS gives no password for the registry {ECR}: Unable to locate credentials. "
        "Let the agent's role do ecr:GetAuthorizationToken, and see that it has credentials."
    )


def test_what_amazon_refuses_is_told_in_its_words(aws: pytest.MonkeyPatch, serve: Serve) -> None:
    refusal = {"__type": "AccessDeniedException", "message": "User: x is not authorized to perform: ecr:Get"}
    with_key(aws, serve(lambda _request: Reply(400, refusal)).url)
    with pytest.raises(CredentialError, match="User: x is not authorized to perform: ecr:Get"):
        AmazonRegistry(ECR, "eu-west-1").issue()


@pytest.mark.parametrize("answer", [{}, {"authorizationData": []}, {"authorizationData": [{"expiresAt": 1}]}])
def test_an_answer_of_amazons_without_a_password_is_told(
    aws: pytest.MonkeyPatch, serve: Serve, answer: dict[str, Any]
) -> None:
    with_key(aws, serve(lambda _request: Reply(body=answer)).url)
    with pytest.raises(CredentialError, match="holds no password"):
        AmazonRegistry(ECR, "eu-west-1").issue()


# ── Google ──


def test_the_machines_metadata_server_gives_an_access_token(serve: Serve) -> None:
    asked: list[Request] = []

    def script(request: Request) -> Reply:
        asked.append(request)
        return Reply(body={"access_token": "ya29.token", "expires_in": 3599, "token_type": "Bearer"})

    address = serve(script).url.removeprefix("http://")
    registry = GoogleRegistry(GAR, {"GCE_METADATA_HOST": address}, clock=lambda: 1000.0)
    assert registry.issue() == Issued(PullCredential(GAR, "oauth2accesstoken", "ya29.token"), 4599.0)
    assert asked[0].path == "/computeMetadata/v1/instance/service-accounts/default/token"
    assert asked[0].headers["metadata-flavor"] == "Google"


@pytest.mark.parametrize("reply", [Reply(404, {}), Reply(200, {}), Reply(200, b"<html>"), Reply(200, b"[1]")])
def test_a_metadata_server_without_a_token_is_told(serve: Serve, reply: Reply) -> None:
    registry = GoogleRegistry(GAR, {"GCE_METADATA_HOST": serve(lambda _request: reply).url.removeprefix("http://")})
    with pytest.raises(CredentialError, match=f"answers with HTTP {reply.status}, without one"):
        registry.issue()


def test_a_machine_without_a_metadata_server_is_told() -> None:
    registry = GoogleRegistry(GAR, {"GCE_METADATA_HOST": f"127.0.0.1:{free_port()}"})
    with pytest.raises(CredentialError, match="metadata server does not answer"):
        registry.issue()


def write_key(path: Path, token_uri: str) -> Path:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    account = {
        "type": "service_account",
        "project_id": "p",
        "private_key_id": "k1",
        "private_key": pem,
        "client_email": "agent@p.iam.gserviceaccount.com",
        "client_id": "1",
        "token_uri": token_uri,
    }
    path.write_text(json.dumps(account))
    return path


def test_a_key_file_is_traded_for_an_access_token(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Mapping[str, Any]] = []

    def script(request: Request) -> Reply:
        form = parse_qs(request.body.decode())
        claims = form["assertion"][0].split(".")[1]
        asked.append(json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4))))
        return Reply(body={"access_token": "ya29.key", "expires_in": 3600, "token_type": "Bearer"})

    path = write_key(tmp_path / "key.json", f"{serve(script).url}/token")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
    issued = GoogleRegistry(GAR, {"GOOGLE_APPLICATION_CREDENTIALS": str(path)}, clock=lambda: 0.0).issue()
    assert issued.credential == PullCredential(GAR, "oauth2accesstoken", "ya29.key")
    assert issued.expires_at > 1.7e9
    assert (asked[0]["iss"], asked[0]["scope"]) == (
        "agent@p.iam.gserviceaccount.com",
        "https://www.googleapis.com/auth/cloud-platform",
    )


def test_a_key_that_google_refuses_is_told(serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refusal = Reply(400, {"error": "invalid_grant", "error_description": "Invalid JWT Signature."})
    path = write_key(tmp_path / "key.json", f"{serve(lambda _request: refusal).url}/token")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
    registry = GoogleRegistry(GAR, {"GOOGLE_APPLICATION_CREDENTIALS": str(path)})
    with pytest.raises(CredentialError, match=r"Google refuses the key file .*Invalid JWT Signature"):
        registry.issue()


def test_a_key_file_that_is_none_is_told_at_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "key.json"
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
    with pytest.raises(CredentialError, match="The key file of GOOGLE_APPLICATION_CREDENTIALS can not be used"):
        GoogleRegistry(GAR, {"GOOGLE_APPLICATION_CREDENTIALS": str(path)})


# ── packages that are not there ──


def test_a_package_that_is_missing_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "botocore.session", None)
    with pytest.raises(CredentialError, match=r"botocore is not installed, .* Install launch-agent\[aws\], or leave"):
        connect(Place("ecr", ECR, "eu-west-1"), {})
    monkeypatch.setitem(sys.modules, "google.auth", None)
    with pytest.raises(CredentialError, match=r"google-auth is not installed, .* Install launch-agent\[google\], or"):
        connect(Place("gcr", GAR), {"GOOGLE_APPLICATION_CREDENTIALS": "/key"})
    assert connect(Place("gcr", GAR), {}) is not None


# ── keeping it ──


class Issuer:
    """A registry whose answers a test lists."""

    host = "registry.example"

    def __init__(self, *answers: float | None) -> None:
        self.answers = list(answers)
        self.count = 0

    def issue(self) -> Issued:
        """The next one: until when it holds; None is a failure."""
        self.count += 1
        until = self.answers.pop(0)
        if until is None:
            raise CredentialError("The registry is away.")
        return Issued(PullCredential(self.host, "u", f"p{self.count}"), until)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_credential_is_renewed_at_half_its_life_and_not_before() -> None:
    clock, issuer = Clock(), Issuer(3600.0, 7200.0)
    credentials = PullCredentials(issuer, clock=clock)
    assert credentials.get().password == "p1"
    clock.now = 1799.0
    assert credentials.get().password == "p1"
    clock.now = 1800.0
    assert credentials.get().password == "p2"
    assert issuer.count == 2


def test_one_that_claims_to_be_over_is_used_and_asked_for_again_after_two_minutes() -> None:
    clock, issuer = Clock(), Issuer(-5.0, -5.0)
    credentials = PullCredentials(issuer, clock=clock)
    assert [credentials.get().password for _ in range(3)] == ["p1"] * 3
    clock.now = 120.0
    assert credentials.get().password == "p2"


def test_while_it_holds_a_registry_that_is_away_costs_a_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    clock, issuer = Clock(), Issuer(3600.0, None, None, 9000.0)
    credentials = PullCredentials(issuer, clock=clock)
    credentials.get()
    clock.now = 1800.0
    with caplog.at_level(logging.WARNING):
        assert credentials.get().password == "p1"
    assert "asked for again in 30 s: The registry is away." in caplog.text
    clock.now = 1829.0
    assert (credentials.get().password, issuer.count) == ("p1", 2)
    clock.now = 3600.0
    with pytest.raises(CredentialError, match="is away"):
        credentials.get()
    clock.now = 3631.0
    assert credentials.get().password == "p4"


def test_a_burst_of_items_asks_a_registry_that_is_away_once() -> None:
    clock, issuer = Clock(), Issuer(None, 60.0)
    credentials = PullCredentials(issuer, clock=clock)
    for _ in range(5):
        with pytest.raises(CredentialError):
            credentials.get()
    assert issuer.count == 1
    clock.now = 30.0
    assert credentials.get().password == "p2"
