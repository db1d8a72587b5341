"""Python hooks: a self-run app whose two functions decide what is joined and what becomes of a pair.

Lives here: reading the user's file (``file``), the record that its functions see (``record``), what a pair
becomes (``output``), and the whole as something that the engine runs like a statement (``derivation``). Does
not live here: the join (``streamhub.join``), Kafka (``streamhub.engine``), options (``streamhub.commands``).

The file is the user's program, run by the user with the user's rights. A specification never carries code,
so neither the runner nor the platform can run hooks.
"""

from streamhub.hooks.derivation import HookDerivation, stand_in
from streamhub.hooks.file import HookFile, HookSettings, load_hooks
from streamhub.hooks.record import HookRecord

__all__ = ["HookDerivation", "HookFile", "HookRecord", "HookSettings", "load_hooks", "stand_in"]
