#ifndef CDIGRESOLVER_H
#define CDIGRESOLVER_H

#include <stdint.h>

/*
 * TXT records, asked of the system's resolver library (libresolv): it knows the servers of this machine, checks that an answer belongs to the
 * question, asks again over TCP when it was cut off, and takes messages apart. Swift can't call it directly, as its functions are macros on
 * some systems. May be called from any thread.
 */

#ifdef __cplusplus
extern "C" {
#endif

/// Where something is in a message, in bytes.
struct dig_resolver_span {
    uint32_t offset;
    uint32_t length;
};

/// Why there is no answer.
enum {
    /// The name does not exist.
    DIG_RESOLVER_NO_NAME = -1,
    /// It has no records of this type.
    DIG_RESOLVER_NO_RECORDS = -2,
    /// No server answered, or those that did could not say.
    DIG_RESOLVER_NO_ANSWER = -3,
    /// A server refused, or the name can't be asked for.
    DIG_RESOLVER_FAILED = -4,
};

/// Asks for the TXT records of `name`. Blocks.
///
/// A server that takes a connection over TCP and says nothing can hold it up for longer than `seconds`; nothing else can.
///
/// - server: An IPv4 address to ask in place of the system's servers, or NULL.
/// - seconds, attempts: How long each server is waited for, and how often all of them are asked.
/// - Returns the length of the message in `answer`, at most `capacity`, or one of the codes above.
int dig_resolver_query_txt(
    const char *name, const char *server, uint16_t port, int seconds, int attempts, uint8_t *answer, int capacity);

/// Finds the data of the TXT records (RFC 1035 3.3.14) in the answer section of `message`.
///
/// - Returns how many were written to `spans`, at most `capacity`; -1 if the message is malformed.
int dig_resolver_txt_records(const uint8_t *message, int length, struct dig_resolver_span *spans, int capacity);

#ifdef __cplusplus
}
#endif

#endif
