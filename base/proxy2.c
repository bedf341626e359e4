/* SPDX-License-Identifier: MPL-2.0 */
#include "base/proxy2.h"

#define SIGNATURE      "\r\n\r\n\0\r\nQUIT\n"
#define SIGNATURE_SIZE 12
#define FIXED_SIZE     16 /* signature, version and command, family, length */
#define LENGTH_AT      14
#define VERSION        2
#define UNIQUE_ID_MAX  128
#define CRC_SIZE       4

enum command { COMMAND_LOCAL = 0, COMMAND_PROXY = 1 };

/* The high half of the family byte; the low half is the transport. */
enum family { FAMILY_UNSPEC, FAMILY_INET, FAMILY_INET6, FAMILY_UNIX };
enum transport { TRANSPORT_UNSPEC, TRANSPORT_STREAM, TRANSPORT_DATAGRAM };

enum tlv_type {
    TYPE_ALPN = 0x01,
    TYPE_AUTHORITY = 0x02,
    TYPE_CRC32C = 0x03,
    TYPE_UNIQUE_ID = 0x05,
    TYPE_SSL = 0x20,
    TYPE_SSL_VERSION = 0x21,
    TYPE_SSL_CN = 0x22,
    TYPE_SSL_CIPHER = 0x23,
    TYPE_PORT_NAME = 0xE0,
    TYPE_LAST_MESSAGE = 0xE1,
    TYPE_BEHAVIOUR = 0xE2,
};

enum ssl_client { CLIENT_SSL = 1, CLIENT_CERT_CONN = 2, CLIENT_CERT_SESS = 4 };

/* A TLV whose value is kept as it is: where, and how long it may be. */
struct field {
    enum tlv_type type;
    size_t offset;
    size_t longest;
};

#define FIELD(type, member, longest)                                           \
    {                                                                          \
        type, offsetof(struct proxy2, member), longest                         \
    }
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct field fields[] = {
    FIELD(TYPE_ALPN, alpn, UINT16_MAX),
    FIELD(TYPE_AUTHORITY, authority, UINT16_MAX),
    FIELD(TYPE_UNIQUE_ID, unique_id, UNIQUE_ID_MAX),
    FIELD(TYPE_PORT_NAME, port_name, UINT16_MAX),
    FIELD(TYPE_LAST_MESSAGE, last_message, UINT16_MAX),
    FIELD(TYPE_BEHAVIOUR, behaviour, UINT16_MAX),
};

/* The sub-TLVs of TYPE_SSL. */
static const struct field ssl_fields[] = {
    FIELD(TYPE_SSL_VERSION, tls_version, UINT16_MAX),
    FIELD(TYPE_SSL_CN, tls_cn, UINT16_MAX),
    FIELD(TYPE_SSL_CIPHER, tls_cipher, UINT16_MAX),
};

/* Fill in a 16-bit length left open at `where`, now that its content is there
 * up to the writer. */
static void
close_length(struct wire_writer *w, uint8_t *where)
{
    struct wire_writer patch = wire_writer(where, 2);

    if (w->failed)
        return;
    if (w->at - where - 2 > UINT16_MAX)
        w->failed = true;
    else
        wire_put_be(&patch, (uint64_t)(w->at - where - 2), 2);
}

static void
put_fields(struct wire_writer *w, const struct proxy2 *header,
           const struct field *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct slice *value =
            (const void *)((const char *)header + rows[i].offset);

        if (value->bytes == NULL)
            continue;
        if (value->length > rows[i].longest)
            w->failed = true;
        wire_put_be(w, rows[i].type, 1);
        wire_put_be(w, value->length, 2);
        wire_put(w, value->bytes, value->length);
    }
}

static void
put_ssl(struct wire_writer *w, const struct proxy2 *header)
{
    unsigned client = CLIENT_SSL;
    uint32_t verify = header->verify;
    uint8_t *length;

    if (header->client_certificate)
        client |= CLIENT_CERT_CONN | CLIENT_CERT_SESS;
    else if (verify == 0)
        verify = 1; /* 0 would claim that one was verified */
    wire_put_be(w, TYPE_SSL, 1);
    length = w->at;
    wire_put_be(w, 0, 2);
    wire_put_be(w, client, 1);
    wire_put_be(w, verify, 4);
    put_fields(w, header, ssl_fields, COUNT(ssl_fields));
    close_length(w, length);
}

static enum family
family_of(const struct proxy2 *header)
{
    if (header->local || header->source.length != header->destination.length)
        return FAMILY_UNSPEC;
    if (header->source.length == 4)
        return FAMILY_INET;
    if (header->source.length == 16)
        return FAMILY_INET6;
    return FAMILY_UNSPEC;
}

size_t
proxy2_encode(const struct proxy2 *header, uint8_t *out, size_t room)
{
    struct wire_writer w = wire_writer(out, room);
    enum command command = header->local ? COMMAND_LOCAL : COMMAND_PROXY;
    enum family family = family_of(header);
    enum transport transport =
        family == FAMILY_UNSPEC ? TRANSPORT_UNSPEC : TRANSPORT_STREAM;

    wire_put(&w, SIGNATURE, SIGNATURE_SIZE);
    wire_put_be(&w, VERSION << 4 | command, 1);
    wire_put_be(&w, family << 4 | transport, 1);
    wire_put_be(&w, 0, 2);
    if (family != FAMILY_UNSPEC) {
        wire_put(&w, header->source.ip, header->source.length);
        wire_put(&w, header->destination.ip, header->destination.length);
        wire_put_be(&w, header->source.port, 2);
        wire_put_be(&w, header->destination.port, 2);
    }
    if (!header->local) {
        put_fields(&w, header, fields, COUNT(fields));
        if (header->tls)
            put_ssl(&w, header);
    }
    close_length(&w, out + LENGTH_AT);
    return w.failed ? 0 : room - w.left;
}

/* CRC32C (Castagnoli), reflected, continued from crc. */
static uint32_t
crc32c(uint32_t crc, const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0x82F63B78 : 0);
    }
    return crc;
}

/* The checksum covers the whole header, with zeros in its own place. */
static bool
crc_matches(struct slice whole, struct slice value)
{
    static const uint8_t zeros[CRC_SIZE];
    struct wire_reader r = wire_reader(value.bytes, value.length);
    uint32_t expected = (uint32_t)wire_be(&r, CRC_SIZE);
    size_t before = (size_t)(value.bytes - whole.bytes);
    uint32_t crc = crc32c(UINT32_MAX, whole.bytes, before);

    crc = crc32c(crc, zeros, CRC_SIZE);
    crc = crc32c(crc, value.bytes + CRC_SIZE, whole.length - before - CRC_SIZE);
    return ~crc == expected;
}

/* One TLV off r, from whatever row it belongs to; its value goes to *value. */
static unsigned
take_tlv(struct wire_reader *r, struct slice *value)
{
    unsigned type = (unsigned)wire_be(r, 1);

    *value = wire_take(r, (size_t)wire_be(r, 2));
    return type;
}

/* False if the value is too long for its row; unknown types are skipped. */
static bool
keep_field(struct proxy2 *header, const struct field *rows, size_t count,
           unsigned type, struct slice value)
{
    for (size_t i = 0; i < count; i++) {
        if (rows[i].type != type)
            continue;
        if (value.length > rows[i].longest)
            return false;
        memcpy((char *)header + rows[i].offset, &value, sizeof value);
    }
    return true;
}

static const char *
take_ssl(struct proxy2 *header, struct slice bytes)
{
    struct wire_reader r = wire_reader(bytes.bytes, bytes.length);
    unsigned client = (unsigned)wire_be(&r, 1);

    header->tls = client & CLIENT_SSL;
    header->client_certificate = client & (CLIENT_CERT_CONN | CLIENT_CERT_SESS);
    header->verify = (uint32_t)wire_be(&r, 4);
    while (r.left > 0 && !r.failed) {
        struct slice value;
        unsigned type = take_tlv(&r, &value);

        if (!r.failed)
            keep_field(header, ssl_fields, COUNT(ssl_fields), type, value);
    }
    return r.failed ? "its SSL TLV is cut short" : NULL;
}

/* Returns NULL, or what is wrong with the TLVs that r holds. */
static const char *
take_tlvs(struct proxy2 *header, struct wire_reader *r, struct slice whole)
{
    const char *wrong = NULL;

    while (r->left > 0 && wrong == NULL) {
        struct slice value;
        unsigned type = take_tlv(r, &value);

        if (r->failed)
            wrong = "a TLV is longer than the header";
        else if (type == TYPE_SSL)
            wrong = take_ssl(header, value);
        else if (type == TYPE_CRC32C && value.length != CRC_SIZE)
            wrong = "its CRC32C has not 4 bytes";
        else if (type == TYPE_CRC32C && !crc_matches(whole, value))
            wrong = "its CRC32C does not match";
        else if (!keep_field(header, fields, COUNT(fields), type, value))
            wrong = "its unique id is longer than 128 bytes";
    }
    return wrong;
}

static void
take_addresses(struct proxy2 *header, struct wire_reader *r, uint8_t length)
{
    struct slice source = wire_take(r, length);
    struct slice destination = wire_take(r, length);

    header->source.port = (uint16_t)wire_be(r, 2);
    header->destination.port = (uint16_t)wire_be(r, 2);
    if (r->failed)
        return;
    header->source.length = header->destination.length = length;
    memcpy(header->source.ip, source.bytes, length);
    memcpy(header->destination.ip, destination.bytes, length);
}

/* Returns NULL, or what is wrong with a complete header. */
static const char *
take_block(struct proxy2 *header, enum family family, struct slice whole)
{
    struct wire_reader r =
        wire_reader(whole.bytes + FIXED_SIZE, whole.length - FIXED_SIZE);

    switch (family) {
    case FAMILY_UNSPEC:
        break;
    case FAMILY_INET:
        take_addresses(header, &r, 4);
        break;
    case FAMILY_INET6:
        take_addresses(header, &r, 16);
        break;
    case FAMILY_UNIX:
        wire_take(&r, 2 * 108); /* two paths, of no use here */
        break;
    }
    if (r.failed)
        return "too short for its addresses";
    return take_tlvs(header, &r, whole);
}

/* Returns NULL, or what is wrong with as much of the fixed part as is there. */
static const char *
check_fixed(const uint8_t *bytes, size_t length)
{
    size_t n = length < SIGNATURE_SIZE ? length : SIGNATURE_SIZE;

    if (n > 0 && memcmp(bytes, SIGNATURE, n) != 0)
        return "no signature";
    if (length > 12 && bytes[12] >> 4 != VERSION)
        return "not version 2";
    if (length > 12 && (bytes[12] & 15) > COMMAND_PROXY)
        return "unknown command";
    /* A LOCAL command's family has no meaning. */
    if (length > 13 && (bytes[12] & 15) != COMMAND_LOCAL
        && (bytes[13] >> 4 > FAMILY_UNIX
            || (bytes[13] & 15) > TRANSPORT_DATAGRAM))
        return "unknown family or transport";
    if (length >= FIXED_SIZE
        && (bytes[14] << 8 | bytes[15]) > PROXY2_MAX - FIXED_SIZE)
        return "too long";
    return NULL;
}

enum proxy2_status
proxy2_decode(const uint8_t *bytes, size_t length, struct proxy2 *header,
              size_t *size, const char **reason)
{
    size_t total;

    *header = (struct proxy2){0};
    *reason = check_fixed(bytes, length);
    if (*reason != NULL)
        return PROXY2_INVALID;
    if (length < FIXED_SIZE)
        return PROXY2_MORE;
    total = FIXED_SIZE + (size_t)(bytes[14] << 8 | bytes[15]);
    if (length < total)
        return PROXY2_MORE;

    header->local = (bytes[12] & 15) == COMMAND_LOCAL;
    if (!header->local)
        *reason =
            take_block(header, bytes[13] >> 4, (struct slice){bytes, total});
    if (*reason != NULL)
        return PROXY2_INVALID;
    *size = total;
    return PROXY2_OK;
}
