// For u_char and NETDB_INTERNAL.
#define _DEFAULT_SOURCE

#include "CDIGResolver.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/types.h>

#include <arpa/nameser.h>
#include <resolv.h>

#if defined(__GLIBC__) || defined(__APPLE__)

static int failure(int code)
{
    switch (code) {
    case HOST_NOT_FOUND: return DIG_RESOLVER_NO_NAME;
    case NO_DATA: return DIG_RESOLVER_NO_RECORDS;
    case TRY_AGAIN: return DIG_RESOLVER_NO_ANSWER;
    case NETDB_INTERNAL: return DIG_RESOLVER_NO_ANSWER;
    default: return DIG_RESOLVER_FAILED;
    }
}

int dig_resolver_query_txt(
    const char *name, const char *server, uint16_t port, int seconds, int attempts, uint8_t *answer, int capacity)
{
    struct __res_state state;
    memset(&state, 0, sizeof state);
    if (res_ninit(&state) != 0) return DIG_RESOLVER_FAILED;
    state.retrans = seconds;
    state.retry = attempts;
#ifdef RES_USE_EDNS0
    // Most answers fit one datagram with it (RFC 6891).
    state.options |= RES_USE_EDNS0;
#endif
    int length = DIG_RESOLVER_FAILED;
    int usable = 1;
    if (server != NULL) {
        struct sockaddr_in address;
        memset(&address, 0, sizeof address);
#ifdef __APPLE__
        address.sin_len = sizeof address;
#endif
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        usable = inet_pton(AF_INET, server, &address.sin_addr) == 1;
        state.nsaddr_list[0] = address;
        state.nscount = 1;
    }
    if (usable) {
        int result = res_nquery(&state, name, ns_c_in, ns_t_txt, answer, capacity);
        // A longer message was cut off; what is left of it is read as far as it goes.
        length = result < 0 ? failure(state.res_h_errno) : (result > capacity ? capacity : result);
    }
#ifdef __APPLE__
    res_ndestroy(&state);
#else
    res_nclose(&state);
#endif
    return length;
}

#else

// musl: one resolver for the process, with the servers and times of resolv.conf.
int dig_resolver_query_txt(
    const char *name, const char *server, uint16_t port, int seconds, int attempts, uint8_t *answer, int capacity)
{
    (void)port, (void)seconds, (void)attempts;
    if (server != NULL) return DIG_RESOLVER_FAILED;
    int result = res_query(name, ns_c_in, ns_t_txt, answer, capacity);
    if (result >= 0) return result > capacity ? capacity : result;
    switch (h_errno) {
    case HOST_NOT_FOUND: return DIG_RESOLVER_NO_NAME;
    case NO_DATA: return DIG_RESOLVER_NO_RECORDS;
    case TRY_AGAIN: return DIG_RESOLVER_NO_ANSWER;
    default: return DIG_RESOLVER_FAILED;
    }
}

#endif

int dig_resolver_txt_records(const uint8_t *message, int length, struct dig_resolver_span *spans, int capacity)
{
    ns_msg handle;
    if (length < 0 || ns_initparse(message, length, &handle) != 0) return -1;
    int records = ns_msg_count(handle, ns_s_an);
    int count = 0;
    for (int index = 0; index < records && count < capacity; index++) {
        ns_rr record;
        if (ns_parserr(&handle, ns_s_an, index, &record) != 0) return -1;
        if (ns_rr_type(record) != ns_t_txt || ns_rr_class(record) != ns_c_in) continue;
        spans[count].offset = (uint32_t)(ns_rr_rdata(record) - message);
        spans[count].length = ns_rr_rdlen(record);
        count += 1;
    }
    return count;
}
