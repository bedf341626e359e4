/* GET /api/tests; see routes.h.  SPDX-License-Identifier: MPL-2.0 */
#include "proxy/plan.h"
#include "proxy/routes.h"

static json_t *
test_json(const struct plan_test *test)
{
    json_t *certificate = json_null();

    if (test->client_crt != NULL)
        certificate = json_pack("{s:s, s:s}", "cert", test->client_crt, "key",
                                test->client_key);
    return json_pack("{s:s, s:s, s:b, s:s?, s:o, s:s, s:b, s:s, s:s?}", "name",
                     test->name, "port", test->row->name, "tls", test->tls,
                     "ca", test->ca, "client_certificate", certificate, "host",
                     test->other_host ? "other" : "same", "revocation",
                     test->revocation, "expect",
                     port_expect_names[test->expect], "why", test->why);
}

json_t *
tests_json(const struct routes_context *context)
{
    json_t *list = json_array();
    struct plan_test test;

    for (size_t i = 0; plan_test(i, &test); i++) {
        const struct chart_port *port =
            chart_find(context->chart, test.row->name);

        if (port != NULL && port->open)
            json_array_append_new(list, test_json(&test));
    }
    return json_pack("{s:o}", "tests", list);
}
