/* The work of c/connector.c without the SDK: see codec/go, which is the same. */
#include <stddef.h>
#include <stdint.h>

typedef struct {
    const uint8_t *at;
    size_t length;
} span;

static uint8_t input[64 << 10], output[64 << 10];

__attribute__((export_name("railhead_abi_v1"))) void railhead_abi_v1(void) {}

__attribute__((export_name("railhead_buf"))) uint8_t *railhead_buf(size_t bytes) {
    if (bytes > sizeof input) __builtin_trap();
    return input;
}

static uint64_t varint(span *data) {
    uint64_t n = 0;
    for (int shift = 0;; shift += 7) {
        if (data->length == 0 || shift > 63) __builtin_trap();
        uint8_t b = *data->at++;
        data->length--;
        n |= (uint64_t)(b & 0x7f) << shift;
        if (b < 0x80) return n;
    }
}

/* next reads a field. Numbers come back without a value. */
static uint64_t next(span *data, span *value) {
    uint64_t tag = varint(data), n = varint(data);
    *value = (span){data->at, 0};
    if ((tag & 7) == 2) {
        if (n > data->length) __builtin_trap();
        value->length = (size_t)n;
        data->at += n;
        data->length -= (size_t)n;
    }
    return tag >> 3;
}

/* field is the last field of that number. */
static span field(span data, uint64_t want) {
    span found = {0}, value;
    while (data.length > 0)
        if (next(&data, &value) == want) found = value;
    return found;
}

#define TEXT(literal) ((span){(const uint8_t *)(literal), sizeof(literal) - 1})

static int equal(span a, span b) { return a.length == b.length && __builtin_memcmp(a.at, b.at, a.length) == 0; }

static size_t length_size(size_t n) {
    size_t size = 1;
    for (; n >= 0x80; n >>= 7) size++;
    return size;
}

static uint8_t *tagged(uint8_t *out, uint8_t number, size_t length) {
    *out++ = (uint8_t)(number << 3 | 2);
    for (; length >= 0x80; length >>= 7) *out++ = (uint8_t)(length | 0x80);
    *out++ = (uint8_t)length;
    return out;
}

static uint8_t *put(uint8_t *out, uint8_t number, span text) {
    out = tagged(out, number, text.length);
    __builtin_memcpy(out, text.at, text.length);
    return out + text.length;
}

static size_t inner(span name, span json) {
    return 1 + length_size(name.length) + name.length + 1 + length_size(json.length) + json.length;
}

static size_t variable_size(span name, span json) {
    size_t size = inner(name, json);
    return 1 + length_size(size) + size;
}

static uint8_t *variable(uint8_t *out, span name, span json) {
    return put(put(tagged(out, 1, inner(name, json)), 1, name), 2, json);
}

__attribute__((export_name("railhead_step"))) uint64_t railhead_step(const uint8_t *request, size_t length) {
    enum { REQUEST_TRIGGER = 2, TRIGGER_JOB = 3, JOB_VARIABLES = 5, REPLY_OUTCOME = 2, OUTCOME_COMPLETE = 1 };
    span job = field(field((span){request, length}, REQUEST_TRIGGER), TRIGGER_JOB), value, currency = {0}, transfer = {0};
    while (job.length > 0) {
        if (next(&job, &value) != JOB_VARIABLES) continue;
        span name = field(value, 1);
        if (equal(name, TEXT("currency"))) currency = field(value, 2);
        if (equal(name, TEXT("transfer"))) transfer = field(value, 2);
    }
    if (!equal(currency, TEXT("\"TZS\"")) || transfer.length > sizeof output / 2) __builtin_trap();
    span accepted = TEXT("true"), note = TEXT("\"The payment is in shillings, which this connector takes. "
                                              "It asks nobody, and says so in a sentence of length.\"");
    size_t size = variable_size(TEXT("accepted"), accepted) + variable_size(TEXT("note"), note) +
                  variable_size(TEXT("transfer"), transfer);
    uint8_t *out = tagged(output, REPLY_OUTCOME, 1 + length_size(size) + size);
    out = tagged(out, OUTCOME_COMPLETE, size);
    out = variable(out, TEXT("accepted"), accepted);
    out = variable(out, TEXT("note"), note);
    out = variable(out, TEXT("transfer"), transfer);
    return (uint64_t)(uintptr_t)output << 32 | (uint64_t)(out - output);
}
