/* GET /api/portmap; see routes.h.  SPDX-License-Identifier: MPL-2.0 */
#include <string.h>

#include "proxy/routes.h"

static const char *
version_text(int version)
{
    return version == PORT_TLS_1_2 ? "1.2" : "1.3";
}

static json_t *
backend_json(const struct settings *settings, const struct port_policy *policy)
{
    const struct target *target = NULL;

    if (policy->forward)
        target = &settings->forward;
    else if (settings->backend.set)
        target = &settings->backend;
    if (target == NULL)
        return json_string("simulator");
    return json_sprintf(strchr(target->host, ':') != NULL ? "[%s]:%u" : "%s:%u",
                        target->host, target->port);
}

static json_t *
port_json(const struct routes_context *context, const struct port *port)
{
    const struct port_policy *policy = port->policy;
    json_t *tls = json_null();

    if (policy->certificate != NULL)
        tls = json_pack("[s,s]", version_text(policy->tls_min),
                        version_text(policy->tls_max));
    return json_pack("{s:i, s:s, s:o, s:s?, s:s, s:s, s:o}", "port",
                     layout_advertised(context->layout, port->number), "group",
                     port_group_names[policy->group], "tls", tls, "certificate",
                     policy->certificate, "rule", policy->rule, "expect",
                     port_expect_names[policy->expect], "backend",
                     backend_json(context->settings, policy));
}

json_t *
portmap_json(const struct routes_context *context)
{
    const struct settings *settings = context->settings;
    const struct layout *layout = context->layout;
    json_t *hostnames = json_array();
    json_t *ports = json_object();

    for (size_t i = 0; i < settings->hostname_count; i++)
        json_array_append_new(hostnames, json_string(settings->hostnames[i]));
    for (size_t i = 0; i < layout->count; i++)
        json_object_set_new(ports, layout->ports[i].policy->name,
                            port_json(context, &layout->ports[i]));
    return json_pack("{s:o, s:i, s:o}", "hostnames", hostnames, "base",
                     layout_advertised(layout, layout->base), "ports", ports);
}
