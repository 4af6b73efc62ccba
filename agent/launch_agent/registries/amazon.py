"""Amazon's registry (ECR): a password for twelve hours, for whoever AWS says that this process is."""

from __future__ import annotations

import base64
import binascii
from datetime import datetime
from typing import Any

from launch_agent.core.pull_secrets import PullCredential
from launch_agent.registries.base import CredentialError, Issued

CONNECT_TIMEOUT = 5
READ_TIMEOUT = 10
ATTEMPTS = 3


class AmazonRegistry:
    """One account's registry in one region. Credentials are found as botocore finds them: variables, role, profile."""

    def __init__(self, host: str, region: str) -> None:
        """Raises CredentialError where botocore is not installed."""
        try:
            import botocore.config
            import botocore.session
        except ImportError as error:
            raise CredentialError(
                f"The registry {host} is Amazon's, and botocore is not installed, which asks for its password.",
                resolution="Install launch-agent[aws], or leave the registry out of the configuration.",
            ) from error
        self.host = host
        self._region = region
        self._session = botocore.session.Session()
        self._options = botocore.config.Config(
            connect_timeout=CONNECT_TIMEOUT,
            read_timeout=READ_TIMEOUT,
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        )

    def issue(self) -> Issued:
        """Ask for an authorization token. Raises CredentialError with AWS's own words."""
        import botocore.exceptions

        try:
            client = self._session.create_client("ecr", region_name=self._region, config=self._options)
            answer = client.get_authorization_token()
        except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError, ValueError) as error:
            raise CredentialError(
                f"AWS gives no password for the registry {self.host}: {str(error).rstrip('.')}.",
                resolution="Let the agent's role do ecr:GetAuthorizationToken, and see that it has credentials.",
            ) from error
        return self._read(answer)

    def _read(self, answer: dict[str, Any]) -> Issued:
        entries: list[dict[str, Any]] = answer.get("authorizationData") or []
        try:
            entry = entries[0]
            user, _, password = base64.b64decode(entry["authorizationToken"], validate=True).decode().partition(":")
            expires: datetime = entry["expiresAt"]
        except (LookupError, TypeError, binascii.Error, UnicodeDecodeError) as error:
            raise CredentialError(f"AWS's answer for the registry {self.host} holds no password.") from error
        return Issued(PullCredential(self.host, user, password), expires.timestamp())
