#!/usr/bin/python3
"""pycurl.py - libcurl on GnuTLS as a MAPI client, by Debian's pycurl

../stacks.py has the arguments; curl.sh says why gophers.

SPDX-License-Identifier: MPL-2.0
"""

import re
import sys

sys.path.pop(0)         # this script has the name of the module
import pycurl           # noqa: E402

RESPONSE = "LIT:monetdb:{SHA1}0123456789:sql:test:".ljust(198)
VERSIONS = {
    "1.2": pycurl.SSLVERSION_TLSv1_2 | pycurl.SSLVERSION_MAX_TLSv1_2,
    "1.3": pycurl.SSLVERSION_TLSv1_3 | pycurl.SSLVERSION_MAX_TLSv1_3,
}


def main(address, port, name, ca, version, cert, key, _):
    assert "GnuTLS" in pycurl.version
    curl = pycurl.Curl()
    path = "1%91%01" + RESPONSE.replace(" ", "%20")
    curl.setopt(curl.URL, f"gophers://{name}:{port}/{path}")
    curl.setopt(curl.RESOLVE, [f"{name}:{port}:{address}"])
    curl.setopt(curl.TIMEOUT, 20)
    curl.setopt(curl.SSLVERSION, VERSIONS[version])
    if ca:
        curl.setopt(curl.CAINFO, ca)
        curl.unsetopt(curl.CAPATH)
    if cert:
        curl.setopt(curl.SSLCERT, cert)
        curl.setopt(curl.SSLKEY, key)
    reply = re.search("[!^].*", curl.perform_rb().decode("latin-1"))
    print(reply[0] if reply else sys.exit("no reply"))


main(*sys.argv[1:])
