"""Works out from a rota's JSON alone which visits each caregiver's device must hold.

Run with rota files, it prints one line a caregiver and visit: the patient with the start and end of every caregiver's part, in
minutes of the working day. It shares nothing with the importer.
"""

import json
import sys


def load(path):
    with open(path) as file:
        return json.load(file)


def visits_of_patients(rota):
    """By patient: the set of (caregiver, service, start, end) of all its stops."""
    parts = {}
    for route in rota["routes"]:
        for stop in route.get("locations", []):
            part = (route["caregiver_id"], stop["service"], stop["arrival_time"], stop["departure_time"])
            parts.setdefault(stop["patient"], set()).add(part)
    return parts


def expected_visits(rota):
    """By caregiver, idle ones included: the patients whom its device must show, each with all parts of the visit."""
    parts = visits_of_patients(rota)
    days = {caregiver["id"]: {} for caregiver in rota["caregivers"]}
    for patient, stops in parts.items():
        for caregiver, _, _, _ in stops:
            days[caregiver][patient] = stops
    return days


def main():
    for path in sys.argv[1:]:
        rota = load(path)
        for caregiver, patients in expected_visits(rota).items():
            if not patients:
                print(rota["name"], caregiver, "idle")
            for patient, stops in sorted(patients.items()):
                parts = ", ".join(f"{who} {start:g}-{end:g}" for who, _, start, end in sorted(stops))
                print(rota["name"], caregiver, patient, parts)


if __name__ == "__main__":
    main()
