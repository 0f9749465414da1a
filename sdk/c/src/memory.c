/* The step's memory, and texts made in it. */

#include "internal.h"

#include <string.h>

#ifndef __wasm__
#include <stdio.h>
#include <stdlib.h>
#endif

enum { FIRST_BYTES = 64 << 10, ALIGNED = 16, PAGE = 64 << 10 };

/* A block of memory. Blocks are kept for the next step; none is given back. */
typedef struct block {
    struct block *next;
    size_t room; /* behind this head */
} block;

static _Alignas(ALIGNED) char first[FIRST_BYTES];
static block *blocks;  /* those beside the first */
static block *current; /* NULL: the first */
static char *free_at = first, *free_end = first + FIRST_BYTES; /* of the current one */

/* Takes a new block from the system, behind the current one. */
static block *more(size_t bytes) {
    size_t size = (bytes + ALIGNED + PAGE - 1) / PAGE * PAGE;
    if (size < bytes) rh_panic("out of memory");
#ifdef __wasm__
    size_t page = __builtin_wasm_memory_grow(0, size / PAGE);
    if (page == (size_t)-1) rh_panic("out of memory");
    block *b = (block *)(page * PAGE);
#else
    block *b = malloc(size);
    if (!b) rh_panic("out of memory");
#endif
    b->room = size - ALIGNED;
    b->next = current ? current->next : blocks;
    if (current) current->next = b;
    else blocks = b;
    return b;
}

/* Goes on in a block that has the room. */
static __attribute__((noinline)) void go_on(size_t bytes) {
    do {
        block *next = current ? current->next : blocks;
        current = next && next->room >= bytes ? next : more(bytes);
        free_at = (char *)current + ALIGNED;
        free_end = free_at + current->room;
    } while (bytes > (size_t)(free_end - free_at));
}

void *rh_take(size_t bytes) {
    size_t size = (bytes + ALIGNED - 1) / ALIGNED * ALIGNED;
    if (size < bytes) rh_panic("out of memory");
    if (size > (size_t)(free_end - free_at)) go_on(size);
    char *at = free_at;
    free_at += size;
    return at;
}

void rh_forget(void) {
    current = NULL;
    free_at = first;
    free_end = first + FIRST_BYTES;
}

void *rh_room(rh_context *c, size_t bytes) {
    (void)c;
    char *at = rh_take(bytes);
    if (bytes > 64) return memset(at, 0, bytes);
    /* The room is a whole number of sixteens, and small ones are cleared by few stores. */
    for (size_t i = 0; i < bytes; i += 8) memcpy(at + i, &(uint64_t){0}, 8);
    return at;
}

rh_text rh_copy(const char *at, size_t length) {
    char *copy = rh_take(length);
    memcpy(copy, at, length);
    return (rh_text){copy, length};
}

char *rh_grow(rh_bytes *b, size_t bytes) {
    if (bytes > b->room - b->length) {
        size_t want = b->room * 2 + bytes + 512;
        char *grown = rh_take(want);
        if (b->length) memcpy(grown, b->at, b->length);
        b->at = grown;
        b->room = want;
    }
    return b->at + b->length;
}

void rh_append(rh_bytes *b, const void *from, size_t length) {
    if (!length) return;
    memcpy(rh_grow(b, length), from, length);
    b->length += length;
}

void rh_append_byte(rh_bytes *b, char byte) {
    *rh_grow(b, 1) = byte;
    b->length++;
}

/* -------------------------------------------------------------------- texts */

rh_text rh_from(const char *text) { return (rh_text){text, text ? strlen(text) : 0}; }

bool rh_equal(rh_text a, rh_text b) {
    if (a.length != b.length) return false;
    size_t n = a.length, at = 0;
    uint64_t x, y;
    if (n < 8) {
        for (; at < n; at++) {
            if (a.at[at] != b.at[at]) return false;
        }
        return true;
    }
    for (; at + 8 < n; at += 8) { /* eight at a time: turns of a loop are dear */
        memcpy(&x, a.at + at, 8), memcpy(&y, b.at + at, 8);
        if (x != y) return false;
    }
    memcpy(&x, a.at + n - 8, 8), memcpy(&y, b.at + n - 8, 8);
    return x == y;
}

bool rh_is(rh_text a, const char *b) {
    for (size_t i = 0; i < a.length; i++) {
        if (!b[i] || b[i] != a.at[i]) return false;
    }
    return !b[a.length];
}

int rh_compare(rh_text a, rh_text b) {
    size_t both = a.length < b.length ? a.length : b.length;
    int order = both ? memcmp(a.at, b.at, both) : 0;
    if (order) return order < 0 ? -1 : 1;
    return a.length < b.length ? -1 : a.length > b.length;
}

rh_text rh_concat_all(rh_context *c, size_t count, const rh_text *texts) {
    (void)c;
    size_t length = 0;
    for (size_t i = 0; i < count; i++) length += texts[i].length;
    rh_bytes out = {.at = rh_take(length), .room = length};
    for (size_t i = 0; i < count; i++) rh_append_text(&out, texts[i]);
    return rh_bytes_text(&out);
}

rh_text rh_decimal(rh_context *c, int64_t n) {
    (void)c;
    char digits[20];
    size_t at = sizeof digits;
    uint64_t left = n < 0 ? 0 - (uint64_t)n : (uint64_t)n;
    do digits[--at] = (char)('0' + left % 10);
    while (left /= 10);
    if (n < 0) digits[--at] = '-';
    return rh_copy(digits + at, sizeof digits - at);
}

rh_text rh_escape(rh_context *c, rh_text text) {
    (void)c;
    static const char hex[] = "0123456789ABCDEF";
    rh_bytes out = {0};
    for (size_t i = 0; i < text.length; i++) {
        unsigned char b = (unsigned char)text.at[i];
        bool plain = (b >= 'a' && b <= 'z') || (b >= 'A' && b <= 'Z') || (b >= '0' && b <= '9') || b == '-' || b == '.' ||
                     b == '_' || b == '~';
        if (plain) {
            rh_append_byte(&out, (char)b);
        } else {
            char escaped[3] = {'%', hex[b >> 4], hex[b & 15]};
            rh_append(&out, escaped, 3);
        }
    }
    return rh_bytes_text(&out);
}

/* Days to dates as Howard Hinnant does it: years begin in March, so that leap
 * days end them. */
static char *write_time(char *at, int64_t ms) {
    int64_t days = ms / 86400000, rest = ms % 86400000;
    if (rest < 0) {
        rest += 86400000;
        days--;
    }
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t of_era = days - era * 146097;
    int64_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t day_of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t shifted = (5 * day_of_year + 2) / 153;
    int64_t month = shifted < 10 ? shifted + 3 : shifted - 9;
    int64_t year = year_of_era + era * 400 + (month <= 2);
    int64_t parts[] = {year, month, day_of_year - (153 * shifted + 2) / 5 + 1, rest / 3600000, rest / 60000 % 60, rest / 1000 % 60};
    static const char after[] = "--T::\0";
    for (int i = 0; i < 6; i++) {
        for (int64_t unit = i ? 10 : 1000; unit; unit /= 10) *at++ = (char)('0' + parts[i] / unit % 10);
        if (i < 5) *at++ = after[i];
    }
    return at;
}

rh_text rh_rfc3339(rh_context *c, int64_t ms) {
    (void)c;
    char text[24], *end = write_time(text, ms);
    *end++ = 'Z';
    return rh_copy(text, (size_t)(end - text));
}

rh_text rh_rfc3339_ms(rh_context *c, int64_t ms) {
    (void)c;
    char text[28], *end = write_time(text, ms);
    int64_t part = (ms % 1000 + 1000) % 1000;
    *end++ = '.';
    for (int64_t unit = 100; unit; unit /= 10) *end++ = (char)('0' + part / unit % 10);
    *end++ = 'Z';
    return rh_copy(text, (size_t)(end - text));
}

/* ----------------------------------------------------------------- the host */

#ifdef __wasm__
__attribute__((import_module("railhead"), import_name("log"))) void host_log(int32_t level, const char *at, size_t length);

static void log_line(int level, rh_text line) { host_log(level, line.at, line.length); }
#else
static void log_line(int level, rh_text line) { fprintf(stderr, "%d %.*s\n", level, (int)line.length, line.at); }
#endif

void rh_log(rh_context *c, int level, rh_text line) {
    if (c->step_->next >= c->step_->entries) log_line(level, line);
}

_Noreturn void rh_panic(const char *text) {
    log_line(RH_ERROR, rh_from(text));
    __builtin_trap();
}
