/* The SDK's own tests, compiled natively, with the sanitizers. */

#include "../src/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int mistakes;

static void is(int line, rh_text got, const char *want) {
    if (rh_is(got, want)) return;
    fprintf(stderr, "line %d: got %.*s, want %s\n", line, (int)got.length, got.at, want);
    mistakes++;
}
#define IS(got, want) is(__LINE__, got, want)
#define TRUE(what) \
    do { \
        if (!(what)) fprintf(stderr, "line %d: %s\n", __LINE__, #what), mistakes++; \
    } while (0)

static rh_json parsed(const char *text) {
    rh_json value;
    TRUE(rh_parse(rh_from(text), &value));
    return value;
}

static void json(void) {
    rh_json doc = parsed(" {\"a\": {\"b\": [1, \"x\\u00e9\\n\\ud83d\\ude00\", {\"c\": null}]}, \"n\": -1.5e3, \"t\": true, \"s\": \"12\", \"s\": \"13\"} ");
    rh_walk list = rh_begin(rh_get(rh_get(doc, "a"), "b"));
    int64_t n;
    TRUE(rh_next(NULL, &list) && rh_int_of(NULL, list.value, &n) && n == 1);
    TRUE(rh_next(NULL, &list));
    IS(rh_text_of(NULL, list.value), "x\xc3\xa9\n\xf0\x9f\x98\x80");
    TRUE(rh_next(NULL, &list) && !rh_exists(rh_get(list.value, "c")));
    IS(list.value.raw, "{\"c\": null}");
    TRUE(!rh_next(NULL, &list));
    IS(rh_text_of(NULL, rh_get(doc, "n")), "-1.5e3");
    TRUE(!rh_int_of(NULL, rh_get(doc, "n"), &n));
    TRUE(rh_is_true(rh_get(doc, "t")));
    TRUE(rh_int_of(NULL, rh_get(doc, "s"), &n) && n == 13); /* the last of equal names */
    IS(rh_text_of(NULL, rh_get(rh_get(doc, "nothing"), "here")), "");
    int members = 0;
    for (rh_walk w = rh_begin(doc); rh_next(NULL, &w);) members++;
    TRUE(members == 5);
    IS(rh_text_of(NULL, parsed("\"\\ud83dx\"")), "\xef\xbf\xbdx");
    TRUE(rh_int_of(NULL, parsed("-9223372036854775808"), &n) && n == INT64_MIN);
    TRUE(!rh_int_of(NULL, parsed("9223372036854775808"), &n));
    static const char *const wrong[] = {
        "", " ", "{", "}", "[1,]", "{\"a\"}", "{\"a\":1,}", "01", "1.", "-", "1e", "tru", "\"", "\"\\x\"", "\"\\u12g4\"", "\"\n\"",
        "1 2", "nul", "[", "{\"a\" 1}", "{1:2}", "'a'", "\"\xff\"", "\"\xc0\x80\"", "\"\xed\xa0\x80\"",
    };
    rh_json value;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        if (rh_parse(rh_from(wrong[i]), &value)) fprintf(stderr, "is no JSON: %s\n", wrong[i]), mistakes++;
    }
    char deep[100000];
    memset(deep, '[', sizeof deep);
    TRUE(!rh_parse((rh_text){deep, sizeof deep}, &value));
}

static void writing(void) {
    rh_vars *vars = rh_object(NULL), *inner = rh_object(NULL);
    rh_list *list = rh_array(NULL);
    rh_add_int(list, -5);
    rh_add(list, RH("\xff"));
    rh_set_int(vars, "b", 1);
    rh_set(vars, "a", RH("x\"\x01\0y"));
    rh_set_bool(vars, "b", false);
    rh_set_vars(vars, "c", inner);
    rh_set_list(vars, "d", list);
    rh_set_null(vars, "");
    IS(rh_write(vars), "{\"\":null,\"a\":\"x\\\"\\u0001\\u0000y\",\"b\":false,\"c\":{},\"d\":[-5,\"\xef\xbf\xbd\"]}");
    IS(rh_escape(NULL, RH("../a b?c")), "..%2Fa%20b%3Fc");
    IS(rh_rfc3339(NULL, 951782400000), "2000-02-29T00:00:00Z");
    IS(rh_rfc3339_ms(NULL, -1), "1969-12-31T23:59:59.999Z");
    IS(rh_rfc3339_ms(NULL, 1767323045006), "2026-01-02T03:04:05.006Z");
    IS(rh_decimal(NULL, INT64_MIN), "-9223372036854775808");
}

static void randomness(void) {
    static const struct { int at; uint64_t want; } go[] = { /* as Go's generator draws */
        {0, 0x8685e1e6b1c47953}, {31, 0x946b0e73e0167aa0}, {32, 0x9afd2a6baa325fab}, {123, 0x998d2ce63bbcb8b0},
        {124, 0x701c62f6c54454b8}, {128, 0x8f9e55a4ae061b2a}, {999, 0x6df1ce851c79935f},
    };
    rh_random_source source = {0};
    size_t next = 0;
    for (int i = 0; i < 1000; i++) {
        uint64_t n = rh_draw(&source, RH("ChaCha8 is fast!ChaCha8 is fast!"));
        if (next < sizeof go / sizeof *go && go[next].at == i) TRUE(n == go[next++].want);
    }
}

static rh_text hex(rh_text bytes) {
    rh_bytes out = {0};
    for (size_t i = 0; i < bytes.length; i++) {
        rh_append_byte(&out, "0123456789abcdef"[(uint8_t)bytes.at[i] >> 4]);
        rh_append_byte(&out, "0123456789abcdef"[bytes.at[i] & 15]);
    }
    return rh_bytes_text(&out);
}

static void digests(void) {
    IS(hex(rh_sha256(NULL, RH(""))), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    IS(hex(rh_sha256(NULL, RH("abc"))), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    IS(hex(rh_sha256(NULL, RH("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"))),
       "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    TRUE(rh_digest(RH("foobar")) == 0x85944171f73967e8);
}

/* Whatever the bytes, a step ends with a reply. */
static void any_bytes(void) {
    rh_random_source source = {0};
    char request[256];
    for (int i = 0; i < 20000; i++) {
        size_t length = rh_draw(&source, RH("any")) % sizeof request;
        for (size_t at = 0; at < length; at++) {
            uint64_t n = rh_draw(&source, RH("any"));
            request[at] = (char)(n & 1 ? n >> 8 : (n >> 8) % 24);
        }
        /* A copy of just that size, so that the sanitizer sees a look behind it. */
        char *exact = malloc(length);
        memcpy(exact, request, length);
        TRUE(railhead_run((rh_text){exact, length}).length > 0);
        rh_json value;
        if (rh_parse((rh_text){exact, length}, &value)) rh_text_of(NULL, value);
        free(exact);
    }
}

static rh_outcome job(rh_context *c, const rh_job *j) {
    rh_http call = {.endpoint = rh_string(c, j, "e"), .path = rh_task_header(j, "p")};
    rh_response response;
    if (rh_call(c, &call, &response) == RH_WAITING) return rh_waiting();
    rh_vars *vars = rh_object(c);
    rh_set(vars, "h", rh_response_header(&response, "H"));
    return rh_complete(vars);
}

const rh_connector railhead_connector = {.jobs = (const rh_job_handler[]){{"", job}, {"j", job}, {0}}};

int main(void) {
    json();
    writing();
    randomness();
    digests();
    any_bytes();
    return mistakes != 0;
}
