/* The C guest as an Extism plug-in: step takes the request from the input and
 * leaves the reply as the output. railhead_step is the same code as in the other
 * guest. */
#include <stddef.h>
#include <stdint.h>

#define EXTISM(name) __attribute__((import_module("extism:host/env"), import_name(#name)))

EXTISM(input_length) uint64_t input_length(void);
EXTISM(input_load_u8) uint8_t input_load_u8(uint64_t at);
EXTISM(input_load_u64) uint64_t input_load_u64(uint64_t at);
EXTISM(alloc) uint64_t extism_alloc(uint64_t bytes);
EXTISM(store_u8) void store_u8(uint64_t at, uint8_t value);
EXTISM(store_u64) void store_u64(uint64_t at, uint64_t value);
EXTISM(output_set) void output_set(uint64_t at, uint64_t bytes);

char *railhead_buf(size_t bytes);
uint64_t railhead_step(const char *request, size_t length);

__attribute__((export_name("step"))) int32_t step(void) {
    uint64_t length = input_length(), at = 0;
    char *request = railhead_buf((size_t)length);
    for (; at + 8 <= length; at += 8) {
        uint64_t word = input_load_u64(at);
        __builtin_memcpy(request + at, &word, 8);
    }
    for (; at < length; at++) request[at] = (char)input_load_u8(at);
    uint64_t packed = railhead_step(request, (size_t)length);
    const char *reply = (const char *)(uintptr_t)(packed >> 32);
    length = (uint32_t)packed;
    uint64_t out = extism_alloc(length);
    for (at = 0; at + 8 <= length; at += 8) {
        uint64_t word;
        __builtin_memcpy(&word, reply + at, 8);
        store_u64(out + at, word);
    }
    for (; at < length; at++) store_u8(out + at, (uint8_t)reply[at]);
    output_set(out, length);
    return 0;
}
