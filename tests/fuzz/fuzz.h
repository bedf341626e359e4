/*
 * fuzz.h - what the fuzz targets share
 *
 * A target is a parser under libFuzzer's entry points and a list of claims
 * about every input; a claim that does not hold aborts.  Without libFuzzer the
 * same program replays files (replay.c).
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

/* Optional: called once, before the first input. */
int LLVMFuzzerInitialize(int *argc, char ***argv);

/* Abort, with file, line and the claim on standard error, unless it holds. */
#define REQUIRE(claim)                                                         \
    ((claim) ? (void)0 : fuzz_fail(#claim, __FILE__, __LINE__))

_Noreturn void fuzz_fail(const char *claim, const char *file, int line);

/* An input that is consumed from its front. */
struct fuzz_input {
    const uint8_t *at;
    size_t left;
};

/* The next byte, 0 if there is none. */
uint8_t fuzz_byte(struct fuzz_input *input);

/* The next n bytes, as a number, most significant byte first. */
uint64_t fuzz_number(struct fuzz_input *input, size_t n);

/*
 * The next at most n bytes in an allocation of exactly their size, so that a
 * sanitizer sees every byte read past the end.  The caller frees it.
 */
uint8_t *fuzz_take(struct fuzz_input *input, size_t n, size_t *length);

/* True if all of text is printable ASCII. */
bool fuzz_is_printable(const char *text);

/* The lowest free descriptor: one that leaks moves it. */
int fuzz_free_descriptor(void);

/* A connected pair of non-blocking sockets. */
void fuzz_socketpair(int pair[2]);

/*
 * Read what has arrived on a non-blocking socket, appending to the *used of
 * room bytes in out.  True if the end of file (or a reset) was found.
 */
bool fuzz_read(int fd, uint8_t *out, size_t room, size_t *used);

#endif
