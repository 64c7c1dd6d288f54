"""A simulated fleet: many workers over one store, under faults, in virtual time, from a seed.

How this works: the workers decide with the code of the real worker (its desk, its claimer, its
committer); only threads, network and time are simulated. A seeded scheduler carries every store
call to the model store late, twice or not at all, loses answers, stops and kills workers, and checks
the laws at every step. The same seed gives the same story, event by event.
"""

from sayiir_pytest.fleet.campaign import CampaignReport, campaign, story
from sayiir_pytest.fleet.faults import CALM, ROUGH, Faults
from sayiir_pytest.fleet.fleet import Fleet, FleetReport
from sayiir_pytest.fleet.parts import REAL, Parts
from sayiir_pytest.fleet.watch import Violation
from sayiir_pytest.strategies.expect import Expected

__all__ = [
    "CALM",
    "REAL",
    "ROUGH",
    "CampaignReport",
    "Expected",
    "Faults",
    "Fleet",
    "FleetReport",
    "Parts",
    "Violation",
    "campaign",
    "story",
]
