"""What can be changed on a page, and by which operation of the API a program does the same.

What lives here: the table. A page action that is added needs a line: its operation, or why there is none.
What does not: the comparison with the site (``test_page_actions``).
"""

from dataclasses import dataclass

_CLIENT = "/systems/{system}/clients/{name}"
_APP = "/systems/{system}/apps/{name}"


@dataclass(frozen=True)
class Only:
    """An action that a page alone has.

    Attributes:
        reason: why a program cannot do it, or has no use for it.
    """

    reason: str


_OWN_DOOR = Only("It changes how a person gets in: a token that is lost must not be able to.")
_BROWSER = Only("It is about this one browser.")
_BY_MAIL = Only("Only a person who reads the mail or the page can go on.")

ACTIONS: dict[str, str | Only] = {
    "/companies/{name}/limits": "set_company_limits",
    "/account/confirm": _OWN_DOOR,
    "/account/delete": _OWN_DOOR,
    "/account/name": "change_account",
    "/account/password": _OWN_DOOR,
    "/account/second-factor": _OWN_DOOR,
    "/account/second-factor/app": _OWN_DOOR,
    "/account/second-factor/codes": _OWN_DOOR,
    "/account/second-factor/off": _OWN_DOOR,
    "/account/sessions/end-others": _OWN_DOOR,
    "/account/sessions/{session_id}/end": _OWN_DOOR,
    "/account/tokens": Only(
        "A token must not make further tokens: a program asks for its own with create_tokens."
    ),
    "/account/tokens/{token_id}/revoke": "revoke_token",
    "/catalogue/new": "create_offer",
    "/catalogue/{offer}/delete": "delete_offer",
    "/catalogue/{offer}/edit": "change_offer",
    "/catalogue/{offer}/publish": "publish_offer",
    "/catalogue/{offer}/request": "request_offer",
    "/catalogue/{offer}/withdraw": "withdraw_offer",
    "/companies/new": "create_company",
    "/companies/{name}/delete": "delete_company",
    "/companies/{name}/invitations/{invitation}/withdraw": "withdraw_company_invitation",
    "/companies/{name}/members": "add_company_member",
    "/companies/{name}/members/{email}/remove": "remove_company_member",
    "/companies/{name}/members/{email}/role": "change_company_member",
    "/companies/{name}/second-factor": "change_company",
    "/contracts/new": "create_contract",
    "/contracts/try": "preview_terms",
    "/contracts/{contract}/change": "change_contract",
    "/contracts/{contract}/decline": "decline_contract",
    "/contracts/{contract}/revoke": "revoke_contract",
    "/contracts/{contract}/sign": "sign_contract",
    "/forgot": _BY_MAIL,
    "/invitations/{token}/accept": "accept_invitation",
    "/login": "create_session",
    "/login/code": "create_session",
    "/login/oidc/link": _OWN_DOOR,
    "/logout": "delete_session",
    "/look": _BROWSER,
    "/platform/rules": "apply_access_rules",
    "/reset/{token}": _BY_MAIL,
    "/signup": _BY_MAIL,
    "/start": "create_system",  # company and system on one page: create_company comes first
    "/systems/new": "create_system",
    "/systems/{name}/datastreams/new": "create_datastream",
    "/systems/{name}/datastreams/{datastream}/delete": "delete_datastream",
    "/systems/{name}/datastreams/{datastream}/edit": "change_datastream",
    "/systems/{name}/delete": "delete_system",
    "/systems/{name}/instances": "apply_instances",
    "/systems/{name}/instances/save": "apply_instances",
    "/systems/{name}/invitations/{invitation}/withdraw": "withdraw_system_invitation",
    "/systems/{name}/members": "add_system_member",
    "/systems/{name}/members/{email}/remove": "remove_system_member",
    "/systems/{name}/members/{email}/role": "change_system_member",
    "/systems/{name}/things/new": "create_thing",
    "/systems/{name}/things/{thing}/delete": "delete_thing",
    "/systems/{name}/things/{thing}/edit": "change_thing",
    "/systems/{system}/apps/check": "check_app_statement",
    "/systems/{system}/apps/new": "create_app",
    "/systems/{system}/apps/preview": "preview_app_statement",
    f"{_APP}/delete": "delete_app",
    f"{_APP}/deploy": "deploy_app",
    f"{_APP}/restart": "restart_app",
    f"{_APP}/rollback": "roll_back_app",
    f"{_APP}/statement": "create_app_version",
    f"{_APP}/stop": "stop_app",
    "/systems/{system}/clients/new": "create_client",
    f"{_CLIENT}/credentials/archive": "issue_client_archive",
    f"{_CLIENT}/credentials/block": "block_client",
    f"{_CLIENT}/credentials/request": "sign_client_request",
    f"{_CLIENT}/credentials/revoke": "revoke_client_credentials",
    f"{_CLIENT}/credentials/token": "create_enrolment_token",
    f"{_CLIENT}/credentials/unblock": "unblock_client",
    f"{_CLIENT}/delete": "delete_client",
    f"{_CLIENT}/settings": "change_client",
    f"{_CLIENT}/tokens": "create_client_token",
    f"{_CLIENT}/tokens/{{number}}/revoke": "revoke_client_token",
    "/welcome": "set_platform_up",
    "/welcome/code": "set_platform_up",  # a program sends the code with everything else
    "/welcome/demo": Only("A demonstration is loaded by a command: python -m platform_ui load-demo."),
}
