"""JupyterHub reads this file in tests: Skerry's own configuration, and people who share a hub."""

import json
import os

from skerry.hub.kubernetes.addresses import name_hosts

config = get_config()  # type: ignore[name-defined]  # noqa: F821 - JupyterHub defines it here
load_subconfig(os.environ["TEAM_BASE"])  # type: ignore[name-defined]  # noqa: F821

team = json.loads(os.environ["TEAM"])
if team["domain"]:
    config.JupyterHub.subdomain_host = config.JupyterHub.public_url.rstrip("/")
    config.JupyterHub.subdomain_hook = name_hosts(team["domain"])
for group, members in team["groups"].items():
    config.JupyterHub.load_groups[group] = {"users": members}
for role in config.JupyterHub.load_roles:
    if role["name"] in team["roles"]:
        role["users"] = [*role.get("users", []), *team["people"]]
    if role["name"] == "skerry-scientist":
        role["users"] = [*role.get("users", []), *team["scientists"]]
config.Authenticator.allowed_users |= {*team["people"], *team["scientists"]}
config.JupyterHub.services.append({"name": "desk", "api_token": team["desk"]})
config.JupyterHub.services.append({"name": "ann", "api_token": team["twin"]})
for role in config.JupyterHub.load_roles:
    if role["name"] in team["roles"]:
        role["services"] = ["ann"]
config.JupyterHub.load_roles.append(
    {"name": "desk", "scopes": ["tokens", "read:users"], "services": ["desk"]}
)
