/* GET /api/portmap; see routes.h.  SPDX-License-Identifier: MPL-2.0 */
#include "proxy/routes.h"

static const char *
version_text(int version)
{
    static const char *const texts[] = {"1.0", "1.1", "1.2", "1.3"};

    return texts[version - PORT_TLS_1_0];
}

static json_t *
port_json(const struct chart *chart, const struct chart_port *port)
{
    const char *certificate = port->certificate;
    json_t *tls = json_null();

    if (port->tls_min != 0)
        tls = json_pack("[s,s]", version_text(port->tls_min),
                        version_text(port->tls_max));
    return json_pack("{s:i, s:s, s:o, s:s?, s:s, s:s, s:s}", "port",
                     chart_number(chart, port), "group",
                     port_group_names[port->group], "tls", tls, "certificate",
                     *certificate != '\0' ? certificate : NULL, "rule",
                     port->rule, "expect", port_expect_names[port->expect],
                     "backend", port->backend);
}

json_t *
portmap_json(const struct routes_context *context)
{
    const struct settings *settings = context->settings;
    const struct chart *chart = context->chart;
    json_t *hostnames = json_array();
    json_t *ports = json_object();
    json_t *base = json_null();

    for (size_t i = 0; i < settings->hostname_count; i++)
        json_array_append_new(hostnames, json_string(settings->hostnames[i]));
    for (size_t i = 0; i < PORTS_MAX; i++)
        if (chart->ports[i].open)
            json_object_set_new(ports, chart->ports[i].name,
                                port_json(chart, &chart->ports[i]));
    if (chart->tester)
        base = json_integer(chart_base(chart));
    return json_pack("{s:o, s:o, s:o}", "hostnames", hostnames, "base", base,
                     "ports", ports);
}
