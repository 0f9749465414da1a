/* Reading JSON by looking into the text. */

#include "internal.h"

#include <string.h>

enum { DEPTH_MAX = 128 };

typedef struct {
    const char *at, *end;
} cursor;

static bool blank(char b) { return b == ' ' || b == '\t' || b == '\n' || b == '\r'; }

static void skip_blanks(cursor *in) {
    while (in->at < in->end && blank(*in->at)) in->at++;
}

static bool take(cursor *in, char want) {
    if (in->at == in->end || *in->at != want) return false;
    in->at++;
    return true;
}

static int hex_digit(char b) {
    if (b >= '0' && b <= '9') return b - '0';
    if (b >= 'a' && b <= 'f') return b - 'a' + 10;
    if (b >= 'A' && b <= 'F') return b - 'A' + 10;
    return -1;
}

static bool hex4(const char *at, const char *end, uint32_t *out) {
    if (end - at < 4) return false;
    *out = 0;
    for (int i = 0; i < 4; i++) {
        int digit = hex_digit(at[i]);
        if (digit < 0) return false;
        *out = *out << 4 | (uint32_t)digit;
    }
    return true;
}

/* How many bytes the UTF-8 character that begins here takes; 0 if it is none. */
static size_t utf8(const char *text, const char *end) {
    const uint8_t *at = (const uint8_t *)text;
    size_t left = (size_t)(end - text), size;
    uint32_t least, c;
    if (at[0] < 0x80) return 1;
    if (at[0] < 0xc2) return 0;
    if (at[0] < 0xe0) size = 2, least = 0x80, c = at[0] & 0x1f;
    else if (at[0] < 0xf0) size = 3, least = 0x800, c = at[0] & 0x0f;
    else if (at[0] < 0xf5) size = 4, least = 0x10000, c = at[0] & 0x07;
    else return 0;
    if (left < size) return 0;
    for (size_t i = 1; i < size; i++) {
        if ((at[i] & 0xc0) != 0x80) return 0;
        c = c << 6 | (at[i] & 0x3f);
    }
    return c < least || c > 0x10ffff || (c >= 0xd800 && c < 0xe000) ? 0 : size;
}

/* Where the bytes end that stand for themselves in a JSON string and are one
 * character. It goes in eights, since in a guest the turns of a loop cost more than
 * what is done in them: of eight bytes below 0x80, one sets a top bit if it is below a
 * blank or becomes zero by exclusive or with a quote or a backslash. The lowest such
 * bit is right; above it a borrow may have set others. */
static const char *plain_end(const char *at, const char *end) {
    const uint64_t ones = 0x0101010101010101, tops = ones * 0x80;
    for (uint64_t v; end - at >= 8; at += 8) {
        memcpy(&v, at, 8);
        v = (v | (v - ones * ' ') | ((v ^ ones * '"') - ones) | ((v ^ ones * '\\') - ones)) & tops;
        if (v) return at + __builtin_ctzll(v) / 8;
    }
    while (at < end && *at >= ' ' && *at != '"' && *at != '\\' && (uint8_t)*at < 0x80) at++;
    return at;
}

static bool check_string(cursor *in) {
    if (!take(in, '"')) return false;
    while ((in->at = plain_end(in->at, in->end)) < in->end) {
        uint8_t b = (uint8_t)*in->at;
        if (b == '"') {
            in->at++;
            return true;
        }
        if (b < ' ') return false;
        if (b != '\\') {
            size_t size = utf8(in->at, in->end);
            if (!size) return false;
            in->at += size;
            continue;
        }
        uint32_t c;
        if (++in->at == in->end) return false;
        if (*in->at == 'u') {
            if (!hex4(in->at + 1, in->end, &c)) return false;
            in->at += 5;
        } else {
            if (!*in->at || !strchr("\"\\/bfnrt", *in->at)) return false;
            in->at++;
        }
    }
    return false;
}

static bool check_digits(cursor *in) {
    const char *from = in->at;
    while (in->at < in->end && *in->at >= '0' && *in->at <= '9') in->at++;
    return in->at > from;
}

static bool check_number(cursor *in) {
    take(in, '-');
    if (!take(in, '0') && !check_digits(in)) return false;
    if (take(in, '.') && !check_digits(in)) return false;
    if (take(in, 'e') || take(in, 'E')) {
        if (!take(in, '+')) take(in, '-');
        return check_digits(in);
    }
    return true;
}

static bool check_word(cursor *in, const char *word) {
    for (; *word; word++) {
        if (!take(in, *word)) return false;
    }
    return true;
}

static bool check(cursor *in, int depth) {
    if (in->at == in->end || depth > DEPTH_MAX) return false;
    char opening = *in->at, closing;
    switch (opening) {
    case '"': return check_string(in);
    case 't': return check_word(in, "true");
    case 'f': return check_word(in, "false");
    case 'n': return check_word(in, "null");
    case '{': closing = '}'; break;
    case '[': closing = ']'; break;
    default: return check_number(in);
    }
    in->at++;
    skip_blanks(in);
    if (take(in, closing)) return true;
    for (;;) {
        if (opening == '{') {
            if (!check_string(in)) return false;
            skip_blanks(in);
            if (!take(in, ':')) return false;
            skip_blanks(in);
        }
        if (!check(in, depth + 1)) return false;
        skip_blanks(in);
        if (take(in, closing)) return true;
        if (!take(in, ',')) return false;
        skip_blanks(in);
    }
}

bool rh_parse(rh_text text, rh_json *out) {
    *out = (rh_json){0};
    if (!text.length) return false;
    cursor in = {text.at, text.at + text.length};
    skip_blanks(&in);
    const char *from = in.at;
    if (!check(&in, 0)) return false;
    const char *end = in.at;
    skip_blanks(&in);
    if (in.at != in.end) return false;
    out->raw = (rh_text){from, (size_t)(end - from)};
    return true;
}

static char kind(rh_json value) { return value.raw.length ? *value.raw.at : 0; }

bool rh_exists(rh_json value) { return kind(value) && kind(value) != 'n'; }
bool rh_is_string(rh_json value) { return kind(value) == '"'; }
bool rh_is_object(rh_json value) { return kind(value) == '{'; }
bool rh_is_array(rh_json value) { return kind(value) == '['; }
bool rh_is_true(rh_json value) { return kind(value) == 't'; }

/* ------------------------------------------------- walking over checked text */

static const char *skip_string(const char *at, const char *end) {
    for (at++; (at = plain_end(at, end)) < end; at++) {
        if (*at == '"') return at + 1;
        if (*at == '\\' && ++at == end) break;
    }
    return end;
}

/* Where the value that begins there ends. */
static const char *skip(const char *at, const char *end) {
    size_t depth = 0;
    while (at < end) {
        switch (*at) {
        case '"':
            at = skip_string(at, end);
            if (!depth) return at;
            continue;
        case '{': case '[': depth++; break;
        case '}': case ']':
            if (!depth) return at;
            if (!--depth) return at + 1;
            break;
        case ',': case ':': case ' ': case '\t': case '\n': case '\r':
            if (!depth) return at;
            break;
        }
        at++;
    }
    return end;
}

rh_walk rh_begin(rh_json list) {
    rh_walk walk = {.object_ = rh_is_object(list)};
    if (walk.object_ || rh_is_array(list)) walk.rest_ = rh_cut(list.raw, 1, list.raw.length);
    return walk;
}

static bool next_value(rh_text *rest, rh_text *out) {
    if (!rest->length) return false;
    const char *at = rest->at, *end = at + rest->length;
    while (at < end && (blank(*at) || *at == ',' || *at == ':')) at++;
    const char *stop = skip(at, end);
    if (stop == at) return false; /* the closing bracket */
    *out = (rh_text){at, (size_t)(stop - at)};
    *rest = (rh_text){stop, (size_t)(end - stop)};
    return true;
}

bool rh_next(rh_context *c, rh_walk *walk) {
    rh_text name;
    if (walk->object_) {
        if (!next_value(&walk->rest_, &name)) return false;
        walk->name = rh_string_of(c, (rh_json){name});
    }
    return next_value(&walk->rest_, &walk->value.raw);
}

/* Writes the character as UTF-8. */
static void append_character(rh_bytes *out, uint32_t c) {
    char b[4];
    if (c < 0x80) {
        rh_append_byte(out, (char)c);
    } else if (c < 0x800) {
        b[0] = (char)(0xc0 | c >> 6), b[1] = (char)(0x80 | (c & 0x3f));
        rh_append(out, b, 2);
    } else if (c < 0x10000) {
        b[0] = (char)(0xe0 | c >> 12), b[1] = (char)(0x80 | (c >> 6 & 0x3f)), b[2] = (char)(0x80 | (c & 0x3f));
        rh_append(out, b, 3);
    } else {
        b[0] = (char)(0xf0 | c >> 18), b[1] = (char)(0x80 | (c >> 12 & 0x3f));
        b[2] = (char)(0x80 | (c >> 6 & 0x3f)), b[3] = (char)(0x80 | (c & 0x3f));
        rh_append(out, b, 4);
    }
}

/* What a JSON string says. One without escapes is a part of the input. Half of a
 * surrogate pair becomes U+FFFD. */
static rh_text unquote(rh_text quoted) {
    if (quoted.length < 2) return (rh_text){0};
    rh_text in = rh_cut(quoted, 1, quoted.length - 1);
    const char *end = in.at + in.length, *at = plain_end(in.at, end);
    while (at < end && *at != '\\') at++;
    if (at == end) return in;
    rh_bytes out = {.at = rh_take(in.length), .room = in.length};
    rh_append(&out, in.at, (size_t)(at - in.at));
    while (at < end) {
        if (*at != '\\') {
            rh_append_byte(&out, *at++);
            continue;
        }
        if (++at == end) break;
        uint32_t c, low;
        switch (*at++) {
        case 'b': rh_append_byte(&out, '\b'); break;
        case 'f': rh_append_byte(&out, '\f'); break;
        case 'n': rh_append_byte(&out, '\n'); break;
        case 'r': rh_append_byte(&out, '\r'); break;
        case 't': rh_append_byte(&out, '\t'); break;
        case 'u':
            if (!hex4(at, end, &c)) return rh_bytes_text(&out);
            at += 4;
            if (c >= 0xd800 && c < 0xe000) {
                bool pair = c < 0xdc00 && end - at >= 6 && at[0] == '\\' && at[1] == 'u' && hex4(at + 2, end, &low) &&
                            low >= 0xdc00 && low < 0xe000;
                if (pair) at += 6;
                c = pair ? 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00) : 0xfffd;
            }
            append_character(&out, c);
            break;
        default: rh_append_byte(&out, at[-1]);
        }
    }
    return rh_bytes_text(&out);
}

rh_json rh_get(rh_json object, const char *name) {
    rh_json found = {0};
    rh_text want = rh_from(name), key, value, rest = rh_begin(object).rest_;
    if (!rh_is_object(object)) return found;
    while (next_value(&rest, &key) && next_value(&rest, &value)) {
        if (rh_equal(unquote(key), want)) found.raw = value;
    }
    return found;
}

rh_text rh_string_of(rh_context *c, rh_json value) {
    (void)c;
    return rh_is_string(value) ? unquote(value.raw) : (rh_text){0};
}

rh_text rh_text_of(rh_context *c, rh_json value) {
    switch (kind(value)) {
    case 0: case 'n': case '{': case '[': return (rh_text){0};
    case '"': return rh_string_of(c, value);
    default: return value.raw;
    }
}

bool rh_int_of(rh_context *c, rh_json value, int64_t *out) {
    rh_text text = rh_text_of(c, value);
    bool negative = text.length && *text.at == '-';
    size_t at = negative || (text.length && *text.at == '+');
    *out = 0;
    if (at == text.length) return false;
    uint64_t n = 0;
    for (; at < text.length; at++) {
        uint64_t digit = (uint64_t)(text.at[at] - '0');
        if (digit > 9 || n > (UINT64_MAX - digit) / 10) return false;
        n = n * 10 + digit;
    }
    if (n > (uint64_t)INT64_MAX + negative) return false;
    *out = (int64_t)(negative ? 0 - n : n);
    return true;
}

void rh_write_string(rh_bytes *b, rh_text text) {
    static const char hex[] = "0123456789abcdef";
    rh_append_byte(b, '"');
    const char *at = text.at, *from = at, *end = at + text.length;
    while ((at = plain_end(at, end)) < end) {
        uint8_t c = (uint8_t)*at;
        size_t size = c < 0x80 ? 1 : utf8(at, end);
        if (size && c >= ' ' && c != '"' && c != '\\') {
            at += size;
            continue;
        }
        rh_append(b, from, (size_t)(at - from));
        from = ++at;
        if (!size) { /* not UTF-8 */
            rh_append(b, "\xef\xbf\xbd", 3);
            continue;
        }
        char escape[6] = {'\\', (char)c, '0', '0', hex[c >> 4], hex[c & 15]};
        switch (c) {
        case '"': case '\\': rh_append(b, escape, 2); break;
        case '\n': rh_append(b, "\\n", 2); break;
        case '\r': rh_append(b, "\\r", 2); break;
        case '\t': rh_append(b, "\\t", 2); break;
        default:
            escape[1] = 'u';
            rh_append(b, escape, 6);
        }
    }
    rh_append(b, from, (size_t)(at - from));
    rh_append_byte(b, '"');
}
