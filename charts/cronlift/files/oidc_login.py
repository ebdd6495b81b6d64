"""Airflow's login by an OpenID Connect provider: the configuration file of the FAB auth manager (`[fab] config_file`).

The chart's `auth.oidc` comes in as JSON in CRONLIFT_OIDC, client and cookie key from the Secret that it names. FAB
knows some providers by name; this one works with any that has a discovery document: who a user is comes from the
signed ID token and from the userinfo answer together, because some providers tell groups in the one, some in the other.
"""

import json
import os
from typing import Any

from airflow.providers.fab.auth_manager.security_manager.override import FabAirflowSecurityManagerOverride
from flask_appbuilder.const import AUTH_OAUTH

SETTINGS = json.loads(os.environ["CRONLIFT_OIDC"])
NO_ROLE = "cronlift-no-role"
"""No role of Airflow is called so: such a user may log in and has no rights (FAB provider 3.10)."""


def user_of(claims: dict[str, Any], groups_claim: str) -> dict[str, Any]:
    """Return FAB's view of a user.

    Args:
        claims: Those of the ID token, with the userinfo answer over them.
        groups_claim: The claim that lists the groups; a text counts as one group.
    """
    groups = claims.get(groups_claim) or []
    name = claims.get("preferred_username") or claims.get("email") or claims["sub"]
    return {
        "username": name,
        "email": claims.get("email") or f"{name}@users.invalid",
        "first_name": claims.get("given_name") or name,
        "last_name": claims.get("family_name") or "",
        "role_keys": [groups] if isinstance(groups, str) else list(groups),
    }


class SecurityManager(FabAirflowSecurityManagerOverride):
    """FAB's, with one generic provider."""

    def get_oauth_user_info(self, provider: str, resp: dict[str, Any]) -> dict[str, Any]:
        """Ask the provider who has just logged in."""
        del provider  # there is one
        remote = self.oauth_remotes[SETTINGS_NAME]
        claims = dict(resp.get("userinfo") or {})  # what authlib has read from the ID token, and verified
        if remote.load_server_metadata().get("userinfo_endpoint"):
            told = dict(remote.userinfo(token=resp))
            if claims and told.get("sub") != claims["sub"]:  # OpenID Connect Core 5.3.2: it must not be used then
                raise ValueError("The userinfo answer is about another user than the ID token")
            claims |= told
        return user_of(claims, SETTINGS["groupsClaim"])


SETTINGS_NAME = "oidc"
SECRET_KEY = os.environ["CRONLIFT_OIDC_SESSION_KEY"]
WTF_CSRF_ENABLED = True
AUTH_TYPE = AUTH_OAUTH
AUTH_USER_REGISTRATION = True
AUTH_USER_REGISTRATION_ROLE = SETTINGS["defaultRole"] or NO_ROLE
AUTH_ROLES_MAPPING = {group: [role] for group, role in SETTINGS["roles"].items()}
# A role that the provider has taken away ends with the next login, once [fab] cache_ttl (30 s) is over.
AUTH_ROLES_SYNC_AT_LOGIN = True
OAUTH_PROVIDERS = [
    {
        "name": SETTINGS_NAME,
        "icon": "fa-key",
        "token_key": "access_token",
        "remote_app": {
            "client_id": os.environ["CRONLIFT_OIDC_CLIENT_ID"],
            "client_secret": os.environ["CRONLIFT_OIDC_CLIENT_SECRET"],
            "server_metadata_url": f"{SETTINGS['issuer']}/.well-known/openid-configuration",
            "client_kwargs": {"scope": SETTINGS["scopes"], "code_challenge_method": "S256"},
        },
    }
]
SECURITY_MANAGER_CLASS = SecurityManager
