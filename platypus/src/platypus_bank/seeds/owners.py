"""Whose an account is, and under which numbers it is known, where nobody says otherwise.

The person is that of the example of /identity/get in Plaid's OpenAPI file; the US numbers are those
that the Sandbox gives, the others those of the example of /auth/get.
"""

from typing import Any

_STREETS = (
    ("2992 Cameron Road", "Malakoff", "NY", "14236"),
    ("2493 Leisure Lane", "San Matias", "CA", "93405-2255"),
)
_EMAILS = (
    ("accountholder0@example.com", "primary"),
    ("accountholder1@example.com", "secondary"),
    ("extraordinarily.long.email.username.123456@reallylonghostname.com", "other"),
)
_PHONES = (("2025550123", "home"), ("1112224444", "work"), ("1112225555", "mobile"))


def default_owner() -> dict[str, Any]:
    """Return the Owner schema of the OpenAPI file: the Sandbox's one person."""
    return {
        "names": ["Alberta Bobbeth Charleson"],
        "phone_numbers": [
            {"data": number, "primary": False, "type": kind} for number, kind in _PHONES
        ],
        "emails": [
            {"data": address, "primary": kind == "primary", "type": kind}
            for address, kind in _EMAILS
        ],
        "addresses": [
            {
                "data": {
                    "street": street,
                    "city": city,
                    "region": region,
                    "postal_code": postal_code,
                    "country": "US",
                },
                "primary": place == 0,
            }
            for place, (street, city, region, postal_code) in enumerate(_STREETS)
        ],
    }


def default_numbers(mask: str | None) -> dict[str, str]:
    """Return account and bank numbers as a custom user could give them, ending in the mask."""
    return {
        "account": f"111122223333{mask or '0000'}",
        "ach_routing": "011401533",
        "ach_wire_routing": "021000021",
        "eft_institution": "021",
        "eft_branch": "01140",
        "international_bic": "NWBKGB21",
        "international_iban": "GB29NWBK60161331926819",
        "bacs_sort_code": "601613",
    }
