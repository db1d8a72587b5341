"""Terms while they are written: their faults with places, and what would leave by them, nothing saved.

What lives here: the answers to the editor of terms and to programs. What does not: the judgement
(``preview``, ``terms``), the language (``streamhub``).
"""

import asyncio
from dataclasses import dataclass, replace

from platform_ui.contracts.forms import TrialForm
from platform_ui.contracts.preview import MOST, Preview, RecordReader, preview
from platform_ui.contracts.terms import find_faults
from platform_ui.errors import FormError
from platform_ui.systems.units import UnitDirectory
from streamhub.contracts import ContractTerms

_TRIAL = "c-trial"


@dataclass(frozen=True, slots=True)
class Sampled:
    """What would leave, with the units of it.

    Attributes:
        preview: What would leave.
        units: Symbols of units by the full name of the Datastream; empty where there is none.
    """

    preview: Preview
    units: dict[str, str]


async def sample(
    terms: ContractTerms, records: RecordReader, units: UnitDirectory, *, is_masked: bool
) -> Sampled:
    """Judge the last records of a system by terms.

    Args:
        terms: what would let them leave.
        records: the broker.
        units: units of Datastreams.
        is_masked: show that there are values, not which.

    Raises:
        BrokerError: the broker does not give the records.
    """
    provider = terms.provider
    found = await asyncio.to_thread(records.last, provider, MOST)
    result = await asyncio.to_thread(preview, terms, found, is_masked=is_masked)
    names = list(dict.fromkeys(record.datastream for record in result.records))
    await units.resolve(names, provider)
    return Sampled(result, {name: units.known(name, provider) or "" for name in names})


async def sample_for_strangers(terms: ContractTerms, records: RecordReader, units: UnitDirectory) -> Sampled:
    """Judge the last records of a system by terms, for who may know of nothing but what would leave.

    It is masked, and tells neither how many records were held back nor how many could not be read.

    Args:
        terms: what would let them leave.
        records: the broker.
        units: units of Datastreams.

    Raises:
        BrokerError: the broker does not give the records.
    """
    found = await sample(terms, records, units, is_masked=True)
    shown = replace(found.preview, read=found.preview.leaving, held_back=0, unusable=0)
    return Sampled(shown, found.units)


def terms_on_trial(form: TrialForm) -> ContractTerms:
    """Return terms that are being written, as the engine understands them.

    Raises:
        FormError: they cannot be kept; the message of the predicate shows the place with a caret.
    """
    faults = {fault.field: fault.drawing for fault in find_faults(form.provider, form)}
    if faults:
        raise FormError(faults, code="contract.terms_refused")
    return ContractTerms(
        id=_TRIAL,
        provider=form.provider,
        datastreams=form.datastreams,
        predicate=form.predicate,
        fields=form.fields,
    )
