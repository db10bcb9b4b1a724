#!/usr/bin/env python3
"""Makes city.mmdb and asn.mmdb beside this file: places for documentation networks and for loopback.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install mmdb_writer==0.2.7
    /tmp/venv/bin/python cases/geo/make_databases.py
"""

from pathlib import Path

from mmdb_writer import MMDBWriter
from netaddr import IPSet

HERE = Path(__file__).parent


def place(country, name, region=None, region_name=None, city=None, postal=None, **location):
    found = {"country": {"iso_code": country, "names": {"en": name}}}
    if region:
        found["subdivisions"] = [{"iso_code": region, "names": {"en": region_name}}]
    if city:
        found["city"] = {"names": {"en": city, "de": "falsch"}}
    if postal:
        found["postal"] = {"code": postal}
    if location:
        found["location"] = location
    return found


MUNICH = place("DE", "Germany", "BY", "Bavaria", "München", "80331",
               latitude=48.1374, longitude=11.5755, time_zone="Europe/Berlin")
SEATTLE = place("US", "United States", "WA", "Washington", "Seattle", "98101",
                latitude=47.6144, longitude=-122.3305, metro_code=819, time_zone="America/Los_Angeles")
TOKYO = place("JP", "Japan", "13", "Tokyo", "Tokyo", latitude=35.6897, longitude=139.6895, time_zone="Asia/Tokyo")


def write(name, kind, rows):
    writer = MMDBWriter(ip_version=6, ipv4_compatible=True, database_type=kind, languages=["en"],
                        description="Made by make_databases.py for tests")
    for networks, record in rows:
        writer.insert_network(IPSet(networks), record)
    writer.to_db_file(str(HERE / name))


write("city.mmdb", "Test-City", [
    (["203.0.113.0/24", "127.0.0.0/24"], MUNICH),
    (["198.51.100.0/24", "127.0.1.0/24"], SEATTLE),
    (["2001:db8::/32"], TOKYO),
    # In a shape of its own, as other makers' databases have.
    (["127.0.3.0/24"], {"country": {"iso_code": "FR"}, "city": "Paris"}),
])
write("asn.mmdb", "Test-ASN", [
    (["203.0.113.0/24", "127.0.0.0/24"], {"autonomous_system_number": 64496}),
    (["192.0.2.0/24"], {"autonomous_system_number": 64497}),
])
