"""Every document that W&B's client, SDK and agent send is one that the SDL has."""

import pytest
from graphql import build_schema, parse, validate

from launch_server.sdl import read_sdl
from tests.server.conftest import Server
from tests.server.documents import DOCUMENTS

SCHEMA = build_schema(read_sdl())


@pytest.mark.parametrize("name", sorted(DOCUMENTS))
def test_the_document_is_valid_against_the_sdl(name: str) -> None:
    assert [error.message for error in validate(SCHEMA, parse(DOCUMENTS[name]))] == []


def test_an_unknown_field_is_refused_in_the_words_old_clients_look_for_and_counted(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    reply = server.post("query Novel($secret: String) { viewer { shoeSize(of: $secret) } }", {"secret": "hunter2"})
    assert reply["status"] == 200
    assert reply["errors"][0]["message"].startswith('Cannot query field "shoeSize" on type "User".')
    assert server.engine.metrics.unknown_count() == 1
    warned = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(warned) == 1
    assert "operation Novel refused" in warned[0]
    assert "secret" in warned[0]
    assert "hunter2" not in caplog.text


def test_documents_that_are_known_are_not_counted(server: Server) -> None:
    server.ask("Viewer")
    assert server.engine.metrics.unknown_count() == 0
