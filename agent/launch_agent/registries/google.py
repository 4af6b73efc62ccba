"""Google's registries: an access token for an hour, from the machine's metadata server or from a key file."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from datetime import UTC
from typing import Any

import urllib3

from launch_agent.adapters.http import NO_RETRIES, explain
from launch_agent.core.pull_secrets import PullCredential
from launch_agent.registries.base import CredentialError, Issued

USER = "oauth2accesstoken"
"""With this user name the password is an access token."""

KEY_FILE = "GOOGLE_APPLICATION_CREDENTIALS"
METADATA_HOST = "GCE_METADATA_HOST"
ANSWER_PATH = "/computeMetadata/v1/instance/service-accounts/default/token"
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
TIMEOUT = urllib3.Timeout(connect=5.0, read=10.0)


class GoogleRegistry:
    """A host of Google's. Where a key file is named the google-auth package reads it; else no package is needed."""

    def __init__(self, host: str, environ: Mapping[str, str], *, clock: Callable[[], float] = time.time) -> None:
        """Raises CredentialError where a key file is named and google-auth is not installed."""
        self.host = host
        self._environ = environ
        self._clock = clock
        self._credentials: Any = _read_key_file(host) if environ.get(KEY_FILE) else None

    def issue(self) -> Issued:
        """A new access token. Raises CredentialError with what Google said."""
        if self._credentials is not None:
            return self._ask_google()
        return self._ask_machine()

    def _ask_machine(self) -> Issued:
        """The metadata server: GKE's workload identity and Compute Engine have one."""
        url = f"http://{self._environ.get(METADATA_HOST) or 'metadata.google.internal'}{ANSWER_PATH}"
        headers = {"Metadata-Flavor": "Google"}
        try:
            with urllib3.PoolManager() as pool:
                answer = pool.request("GET", url, headers=headers, timeout=TIMEOUT, retries=NO_RETRIES, redirect=False)
                found = json.loads(answer.data) if answer.status == 200 else {}
                token, lifetime = str(found["access_token"]), float(found["expires_in"])
        except urllib3.exceptions.HTTPError as error:
            raise self._fail(f"the machine's metadata server does not answer ({explain(error)})") from error
        except (ValueError, LookupError, TypeError) as error:
            raise self._fail(f"the machine's metadata server answers with HTTP {answer.status}, without one") from error
        return Issued(PullCredential(self.host, USER, token), self._clock() + lifetime)

    def _ask_google(self) -> Issued:
        import google.auth.exceptions
        import google.auth.transport.urllib3

        pool = urllib3.PoolManager(timeout=TIMEOUT)
        try:
            make_request: Any = google.auth.transport.urllib3.Request
            self._credentials.refresh(make_request(pool))
        except google.auth.exceptions.GoogleAuthError as error:
            raise self._fail(f"Google refuses the key file ({error.args[0] if error.args else error})") from error
        finally:
            pool.clear()
        expiry = self._credentials.expiry
        until = expiry.replace(tzinfo=UTC).timestamp() if expiry else self._clock()
        return Issued(PullCredential(self.host, USER, str(self._credentials.token)), until)

    def _fail(self, why: str) -> CredentialError:
        return CredentialError(
            f"There is no access token for the registry {self.host}: {why}.",
            resolution=f"Give the agent's account the role artifactregistry.reader, or name a key file in {KEY_FILE}.",
        )


def _read_key_file(host: str) -> Any:
    try:
        import google.auth
        import google.auth.exceptions
        import google.auth.transport.urllib3
    except ImportError as error:
        raise CredentialError(
            f"The registry {host} is Google's, {KEY_FILE} is set, and google-auth is not installed, which reads it.",
            resolution=f"Install launch-agent[google], or unset {KEY_FILE}: the metadata server is asked then.",
        ) from error
    try:
        credentials, _ = google.auth.default(scopes=[SCOPE])
    except (google.auth.exceptions.GoogleAuthError, OSError, ValueError) as error:
        raise CredentialError(f"The key file of {KEY_FILE} can not be used: {error}.") from error
    return credentials
