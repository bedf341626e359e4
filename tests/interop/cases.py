"""cases.py - what every TLS stack is asked to do

SPDX-License-Identifier: MPL-2.0
"""

from dataclasses import dataclass

# The certificates' names, and another one.
SAME, UNDOTTED, OTHER = "localhost.localdomain", "localhost", "wrong.example"


@dataclass(frozen=True)
class Case:
    name: str               # as documented; suffixed where 1.2 does it, too
    port: str
    version: str = "1.3"    # the one that the client speaks
    ca: str = "ca1.crt"     # "": what the stack trusts without being told
    host: str = SAME        # the name that the client asks for and verifies
    client: bool = False    # with client2's certificate
    alpn: str = ""
    connects: bool = True
    server: str = "today"   # or "late": all its certificates have expired
    defect: str = ""        # the column of expected.txt that applies
    sends: int | None = None    # the alert that the server sends


CASES = [
    Case("connect_tls", "server1"),
    Case("connect_tls, 1.2", "tls12", "1.2"),
    Case("connect_client_auth", "clientauth", client=True),
    Case("connect_server_name", "sni"),
    Case("sni, name without a dot", "sni", host=UNDOTTED),
    Case("connect_alpn_mapi9", "alpn_mapi9", alpn="mapi/9"),
    Case("redirect", "redirect"),

    Case("refuse_wrong_cert", "server1", ca="ca2.crt", connects=False,
         defect="unknown CA"),
    Case("refuse_wrong_cert, 1.2", "tls12", "1.2", ca="ca2.crt",
         connects=False, defect="unknown CA"),
    Case("refuse_no_cert", "server1", ca="", connects=False,
         defect="unknown CA"),
    Case("refuse_no_cert, 1.2", "tls12", "1.2", ca="", connects=False,
         defect="unknown CA"),
    Case("refuse_expired", "expiredcert", connects=False, defect="expired"),
    Case("refuse_expired, 1.2", "tls12", "1.2", connects=False,
         server="late", defect="expired"),
    Case("refuse_wrong_host", "server1", host=OTHER, connects=False,
         defect="wrong host"),
    Case("refuse_wrong_host, 1.2", "tls12", "1.2", host=OTHER,
         connects=False, defect="wrong host"),

    Case("refuse_tlsv12", "tls12", connects=False, sends=70),
    Case("1.2 client on server1", "server1", "1.2", connects=False, sends=70),
    Case("clientauth without certificate", "clientauth", connects=False,
         sends=116),
    Case("alpn_mapi9 without ALPN", "alpn_mapi9", connects=False),
    Case("fail_tls_to_plain", "plain", connects=False),
]
