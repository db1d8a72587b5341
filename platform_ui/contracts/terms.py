"""The terms of a contract: their canonical form, which is what is signed, and whether they can be kept.

What lives here: the digest, the check by the language, the form the engine understands. What does not: the
life of a contract (``service``).

The canonical form is JSON as in RFC 8785 ("JSON Canonicalization Scheme"): sorted names, no blanks, UTF-8. It
holds texts, whole numbers and lists of texts only, so nothing depends on how numbers are written.
"""

import hashlib
import json
from datetime import datetime

from platform_ui.contracts import naming
from platform_ui.contracts.forms import OfferedForm, TermsForm
from platform_ui.contracts.models import Contract, ContractVersion
from platform_ui.db import now
from platform_ui.errors import FormError
from streamhub.contracts import ContractTerms, TermsFault, check_terms

REFUSED = "contract.terms_refused"


def format_time(time: datetime | None) -> str | None:
    """Write a time as in RFC 3339, clause 5.6, in UTC to the second."""
    return None if time is None else time.strftime("%Y-%m-%dT%H:%M:%SZ")


def canonical(contract: Contract, version: ContractVersion) -> bytes:
    """Return what both sides sign: the terms of one version with the contract and the systems they bind.

    Source: RFC 8785, clause 3.2 "Generation of Canonical JSON Data".
    """
    document = {
        "consumer": contract.consumer,
        "contract": contract.id,
        "datastreams": version.datastreams,
        "endsAt": format_time(version.ends_at),
        "fields": version.fields,
        "predicate": version.predicate,
        "provider": contract.provider,
        "purpose": version.purpose,
        "startsAt": format_time(version.starts_at),
        "version": version.number,
    }
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def digest_of(contract: Contract, version: ContractVersion) -> str:
    """Return the SHA-256 of the canonical form, in lower-case hexadecimal."""
    return hashlib.sha256(canonical(contract, version)).hexdigest()


def terms_of(contract: Contract, version: ContractVersion) -> ContractTerms:
    """Return the terms as the engine keeps them."""
    return ContractTerms(
        id=contract.id,
        provider=contract.provider,
        datastreams=tuple(version.datastreams),
        predicate=version.predicate,
        fields=tuple(version.fields),
        starts_at=format_time(version.starts_at),
        ends_at=format_time(version.ends_at),
    )


def find_faults(provider: str, form: OfferedForm, **times: str | None) -> tuple[TermsFault, ...]:
    """Find everything that is wrong with which records may leave, with places in the predicate.

    Args:
        provider: full name of the system that gives.
        form: which records, with full names of Datastreams.
        times: ``starts_at`` and ``ends_at``, RFC 3339, where there are any.
    """
    faults = check_terms(
        provider=provider,
        datastreams=form.datastreams,
        predicate=form.predicate,
        fields=form.fields,
        starts_at=times.get("starts_at"),
        ends_at=times.get("ends_at"),
    )
    told = naming.describe_faults(provider, form.datastreams)
    return tuple(
        TermsFault("datastreams", told, drawing=told) if told and fault.field == "datastreams" else fault
        for fault in faults
    )


def check_form(provider: str, form: TermsForm) -> None:
    """Make sure that terms can be kept.

    Args:
        provider: full name of the system that gives.
        form: the terms as they were written.

    Raises:
        FormError: a Datastream is not the provider's, the predicate is refused (the message shows the place
            with a caret), or the end is not after the start and the present.
    """
    times = {"starts_at": format_time(form.starts_at), "ends_at": format_time(form.ends_at)}
    faults = {fault.field: fault.drawing for fault in find_faults(provider, form, **times)}
    if form.ends_at is not None and form.ends_at <= now():
        faults.setdefault("ends_at", "The end is over already.")
    if faults:
        raise FormError(faults, code=REFUSED)
