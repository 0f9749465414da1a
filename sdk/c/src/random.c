/* Randomness that is the same in every run of one history. */

#include "internal.h"

#include <string.h>

enum { COUNTER_STEP = 4, COUNTER_END = 16, RESEED = 4 };

static void quarter(uint32_t *a, uint32_t *b, uint32_t *c, uint32_t *d) {
#define ROTATE(x, n) ((x) << (n) | (x) >> (32 - (n)))
    *a += *b, *d ^= *a, *d = ROTATE(*d, 16);
    *c += *d, *b ^= *c, *b = ROTATE(*b, 12);
    *a += *b, *d ^= *a, *d = ROTATE(*d, 8);
    *c += *d, *b ^= *c, *b = ROTATE(*b, 7);
#undef ROTATE
}

/* Four blocks of ChaCha8 side by side. The input is added to the key rows only. */
static void fill(rh_random_source *r) {
    static const uint32_t constants[] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
    for (uint32_t lane = 0; lane < 4; lane++) {
        uint32_t x[16] = {0}, key[8];
        memcpy(x, constants, sizeof constants);
        for (int i = 0; i < 8; i++) x[4 + i] = key[i] = (uint32_t)(r->seed[i / 2] >> (i % 2 * 32));
        x[12] = r->counter + lane;
        for (int round = 0; round < 4; round++) {
            for (int i = 0; i < 4; i++) quarter(&x[i], &x[4 + i], &x[8 + i], &x[12 + i]);
            for (int i = 0; i < 4; i++) quarter(&x[i], &x[4 + (i + 1) % 4], &x[8 + (i + 2) % 4], &x[12 + (i + 3) % 4]);
        }
        for (int i = 0; i < 8; i++) x[4 + i] += key[i];
        for (int row = 0; row < 16; row++) {
            uint64_t *word = &r->buffer[2 * row + (int)lane / 2];
            *word = lane % 2 ? *word | (uint64_t)x[row] << 32 : x[row];
        }
    }
}

uint64_t rh_draw(rh_random_source *r, rh_text seed) {
    if (!r->begun) {
        r->begun = true;
        for (size_t i = 0; i < seed.length && i < 32; i++) r->seed[i / 8] |= (uint64_t)(uint8_t)seed.at[i] << (i % 8 * 8);
        fill(r);
        r->end = 32;
    } else if (r->next == r->end) {
        r->counter += COUNTER_STEP;
        if (r->counter == COUNTER_END) { /* what was drawn cannot be found out from what will be */
            memcpy(r->seed, r->buffer + 32 - RESEED, sizeof r->seed);
            r->counter = 0;
        }
        fill(r);
        r->next = 0;
        r->end = r->counter == COUNTER_END - COUNTER_STEP ? 32 - RESEED : 32;
    }
    return r->buffer[r->next++];
}

/* It is begun anew by the first draw of a step, since clearing it in every step would
 * cost more than most steps do. */
uint64_t rh_random(rh_context *c) {
    static rh_random_source source;
    if (!c->step_->drawn) source = (rh_random_source){0};
    c->step_->drawn = true;
    return rh_draw(&source, c->step_->seed);
}

rh_text rh_uuid(rh_context *c) {
    static const char hex[] = "0123456789abcdef";
    uint64_t high = (rh_random(c) & ~(uint64_t)0xf000) | 0x4000;
    uint64_t low = (rh_random(c) & ~((uint64_t)3 << 62)) | (uint64_t)2 << 62;
    char *out = rh_take(36), *at = out;
    for (int i = 0; i < 32; i++) {
        if (i == 8 || i == 12 || i == 16 || i == 20) *at++ = '-';
        uint64_t word = i < 16 ? high : low;
        *at++ = hex[word >> (60 - i % 16 * 4) & 15];
    }
    return (rh_text){out, 36};
}
