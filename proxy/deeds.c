/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/deeds.h"

#include <stdio.h>
#include <string.h>

/* What happens at the ClientHello. */
struct greeting {
    enum port_deed deed;
    int alert;          /* 0: none is sent */
    const char *answer; /* instead of a ServerHello */
    const char *reason; /* for the event */
};

static const struct greeting greetings[] = {
    {DEED_HANG_UP, 0, "", "the port hangs up after the ClientHello"},
    {DEED_GARBAGE, 0,
     "HTTP/1.1 400 Bad Request\r\n"
     "Content-Type: text/plain\r\n"
     "Content-Length: 12\r\n"
     "Connection: close\r\n"
     "\r\n"
     "Bad Request\n",
     "the port answers the ClientHello with HTTP"},
    {DEED_ALERT, SSL_AD_HANDSHAKE_FAILURE, "",
     "the port refuses every ClientHello"},
};

/* What OpenSSL would say where no alert is to be sent is dropped by the BIO;
 * what is said instead waits there, and the end follows it. */
static int
on_client_hello(SSL *ssl, int *alert, void *arg)
{
    const struct greeting *greeting = arg;
    struct event *event = SSL_get_app_data(ssl);
    BIO *bio = SSL_get_wbio(ssl);
    struct tlsbio *io = BIO_get_data(bio);

    event_text_set(&event->reason, greeting->reason);
    if (*greeting->answer != '\0')
        (void)BIO_write(bio, greeting->answer, (int)strlen(greeting->answer));
    io->mute = greeting->alert == 0;
    *alert = greeting->alert;
    return SSL_CLIENT_HELLO_ERROR;
}

void
deed_prepare(SSL_CTX *context, enum port_deed deed)
{
    for (size_t i = 0; i < sizeof greetings / sizeof greetings[0]; i++)
        if (greetings[i].deed == deed)
            SSL_CTX_set_client_hello_cb(context, on_client_hello,
                                        (void *)&greetings[i]);
}

enum port_deed
deed_begin(enum port_deed deed, struct endpoint *client)
{
    switch (deed) {
    case DEED_TRUNCATE:
        client->notified = true; /* so it will not be */
        return DEED_NONE;
    case DEED_TINY:
        client->record_bytes = 1;
        return DEED_NONE;
    case DEED_KEY_UPDATE:
        return deed;
    case DEED_NONE:
    case DEED_SILENT:
    case DEED_HANG_UP:
    case DEED_GARBAGE:
    case DEED_ALERT:
        break;
    }
    return DEED_NONE;
}

enum port_deed
deed_answer(enum port_deed deed, struct endpoint *client)
{
    if (deed == DEED_KEY_UPDATE && !endpoint_update_keys(client))
        return deed;
    return DEED_NONE;
}
