"""One body for each operation that takes one, as the documentation shows it.

What lives here: the bodies. What does not: what they may hold (each domain's ``forms``); a test holds that
each one fits.
"""

from typing import Any, Final

_PURPOSE: Final = "To warn drivers of ice on the road."
_STATEMENT: Final = "SELECT * FROM * WHERE result < 4;"
_DATASTREAM: Final = {
    "description": "Air temperature outside of the car",
    "sensor": "Thermometer",
    "observed_property": "Air Temperature",
    "unit": "Cel",
    "observation_type": "OM_Measurement",
}
_TRIAL: Final = {
    "provider": "is.iceland.iot4cps-wp5-WeatherService.Stations",
    "predicate": "result < 4",
}
_OFFER: Final = {
    "title": "Temperatures of Icelandic roads",
    "description": "Every minute, from 40 stations.",
    "predicate": "result < 4",
    "purposes": [_PURPOSE],
    "visibility": "everybody",
}

EXAMPLES: Final[dict[str, Any]] = {
    "create_session": {"email": "sue.smith@example.com", "password": "correct horse battery staple"},
    "create_tokens": {
        "email": "sue.smith@example.com",
        "password": "correct horse battery staple",
        "code": "123456",
        "scope": "write",
    },
    "refresh_tokens": {"refresh_token": "dtwin_rt_..."},
    "revoke_tokens": {"token": "dtwin_at_..."},
    "change_account": {"first_name": "Sue", "last_name": "Miller"},
    "create_company": {"domain": "cz", "enterprise": "icecars", "description": "Cars that know the weather"},
    "change_company": {"description": "Cars that know the weather", "requires_second_factor": True},
    "add_company_member": {"email": "max.mustermann@example.com", "role": "member"},
    "change_company_member": {"role": "admin"},
    "create_system": {
        "company": "cz.icecars",
        "workcenter": "iot4cps-wp5-CarFleet",
        "station": "Car1",
        "description": "The first car",
    },
    "change_system": {"description": "The first car, with new tyres"},
    "add_system_member": {"email": "max.mustermann@example.com", "role": "viewer"},
    "change_system_member": {"role": "agent"},
    "accept_invitation": {"token": "..."},
    "create_client": {"name": "car_1", "description": "Reports temperature and position"},
    "change_client": {"description": "Reports temperature, position and speed"},
    "sign_client_request": {"request": "-----BEGIN CERTIFICATE REQUEST-----\n..."},
    "revoke_client_credentials": {"reason": "the device was lost"},
    "renew_certificate": {
        "certificate": "-----BEGIN CERTIFICATE-----\n...",
        "request": "-----BEGIN CERTIFICATE REQUEST-----\n...",
        "time": "2026-01-02T03:04:05Z",
        "signature": "MEUCIQ...",
    },
    "enrol_client": {"token": "...", "request": "-----BEGIN CERTIFICATE REQUEST-----\n..."},
    "create_contract": {
        "provider": "is.iceland.iot4cps-wp5-WeatherService.Stations",
        "consumer": "cz.icecars.iot4cps-wp5-CarFleet.Car1",
        "datastreams": ["is.iceland.iot4cps-wp5-WeatherService.Stations.Reykjavik.Air Temperature"],
        "predicate": "result < 4",
        "purpose": _PURPOSE,
    },
    "change_contract": {"version": 1, "predicate": "result < 3", "purpose": _PURPOSE},
    "sign_contract": {"side": "provider", "version": 1},
    "decline_contract": {"side": "provider", "reason": "The predicate is too wide."},
    "revoke_contract": {"side": "provider", "reason": "The project is over."},
    "create_app": {
        "name": "freezing",
        "target_system": "cz.icecars.iot4cps-wp5-CarFleet.Car1",
        "statement": _STATEMENT,
        "description": "Stations where it freezes",
    },
    "check_app_statement": {"statement": _STATEMENT, "target_system": "cz.icecars.iot4cps-wp5-CarFleet.Car1"},
    "preview_app_statement": {"statement": _STATEMENT, "last": 1000},
    "create_app_version": {"statement": "SELECT * FROM * WHERE result < 3;", "note": "Only real ice"},
    "roll_back_app": {"version": 1},
    "create_thing": {"name": "Main", "description": "The car itself", "latitude": 47.8, "longitude": 13.05},
    "change_thing": {"description": "The car itself, repaired", "latitude": 47.8, "longitude": 13.05},
    "create_datastream": {"thing": "Main", "name": "Air Temperature", **_DATASTREAM},
    "change_datastream": _DATASTREAM,
    "apply_instances": {"Things": [], "Sensors": [], "Datastreams": []},
    "set_company_limits": {"max_apps": 20, "memory_mb": 512, "cpus": 1.0},
    "check_terms": _TRIAL,
    "preview_terms": _TRIAL,
    "create_offer": {"system": "is.iceland.iot4cps-wp5-WeatherService.Stations", **_OFFER},
    "change_offer": _OFFER,
    "request_offer": {
        "consumer": "cz.icecars.iot4cps-wp5-CarFleet.Car1",
        "purpose": _PURPOSE,
        "duration": "month",
    },
    "set_platform_up": {
        "first_name": "Sue",
        "last_name": "Smith",
        "email": "sue.smith@example.com",
        "password": "correct horse battery staple",
        "code": "4f6b-91cd",
    },
}
