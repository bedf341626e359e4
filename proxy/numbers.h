/*
 * numbers.h - the options of mapitest that are seconds, limits and counts
 *
 * Each sets a field of a struct settings, and says what is wrong with a value
 * as the end of a sentence; NULL: nothing (struct option_row).
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef PROXY_NUMBERS_H
#define PROXY_NUMBERS_H

const char *numbers_workers(void *settings, const char *value);
const char *numbers_handshake(void *settings, const char *value);
const char *numbers_connect(void *settings, const char *value);
const char *numbers_first_byte(void *settings, const char *value);
const char *numbers_idle(void *settings, const char *value);
const char *numbers_stall(void *settings, const char *value);
const char *numbers_half_closed(void *settings, const char *value);
const char *numbers_keepalive(void *settings, const char *value);
const char *numbers_silence(void *settings, const char *value);
const char *numbers_drain(void *settings, const char *value);
const char *numbers_renew(void *settings, const char *value);
const char *numbers_limit_connections(void *settings, const char *value);
const char *numbers_limit_per_client(void *settings, const char *value);
const char *numbers_limit_handshakes(void *settings, const char *value);
const char *numbers_limit_http(void *settings, const char *value);
const char *numbers_history(void *settings, const char *value);

#endif
