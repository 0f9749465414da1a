/* Writing JSON: objects, whose names ascend, and arrays. */

#include "internal.h"

#include <string.h>

/* One value lies behind the other: the lengths of name and JSON, and both. */
struct rh_vars {
    rh_bytes packed;
    size_t last; /* where the last one begins */
    bool disordered;
};

struct rh_list {
    rh_bytes items; /* their JSON, with commas between them */
};

typedef struct {
    uint32_t name, json;
} lengths;

typedef struct {
    rh_text name, json;
} member;

rh_vars *rh_object(rh_context *c) { return rh_room(c, sizeof(rh_vars)); }
rh_list *rh_array(rh_context *c) { return rh_room(c, sizeof(rh_list)); }

static member read_at(const rh_vars *vars, size_t at, size_t *end) {
    lengths l;
    memcpy(&l, vars->packed.at + at, sizeof l);
    const char *name = vars->packed.at + at + sizeof l;
    *end = at + sizeof l + l.name + l.json;
    return (member){{name, l.name}, {name + l.name, l.json}};
}

/* Begins a value, whose JSON the caller appends to vars->packed. */
static void begin(rh_vars *vars, const char *name) {
    rh_text text = rh_from(name);
    size_t end;
    if (vars->packed.length && rh_compare(read_at(vars, vars->last, &end).name, text) >= 0) vars->disordered = true;
    vars->last = vars->packed.length;
    lengths l = {.name = (uint32_t)text.length};
    rh_append(&vars->packed, &l, sizeof l);
    rh_append_text(&vars->packed, text);
}

static void end(rh_vars *vars) {
    lengths l;
    char *at = vars->packed.at + vars->last;
    memcpy(&l, at, sizeof l);
    l.json = (uint32_t)(vars->packed.length - vars->last - sizeof l - l.name);
    memcpy(at, &l, sizeof l);
}

static void set_raw(rh_vars *vars, const char *name, rh_text json) {
    begin(vars, name);
    rh_append_text(&vars->packed, json);
    end(vars);
}

void rh_set(rh_vars *vars, const char *name, rh_text text) {
    begin(vars, name);
    rh_write_string(&vars->packed, text);
    end(vars);
}

void rh_set_bool(rh_vars *vars, const char *name, bool value) { set_raw(vars, name, value ? RH("true") : RH("false")); }
void rh_set_int(rh_vars *vars, const char *name, int64_t value) { set_raw(vars, name, rh_decimal(NULL, value)); }
void rh_set_null(rh_vars *vars, const char *name) { set_raw(vars, name, RH("null")); }

void rh_set_json(rh_vars *vars, const char *name, rh_json value) {
    set_raw(vars, name, value.raw.length ? value.raw : RH("null"));
}

void rh_set_vars(rh_vars *vars, const char *name, const rh_vars *value) {
    begin(vars, name);
    rh_write_object(&vars->packed, value);
    end(vars);
}

void rh_set_list(rh_vars *vars, const char *name, const rh_list *value) {
    begin(vars, name);
    rh_append_byte(&vars->packed, '[');
    rh_append_text(&vars->packed, rh_bytes_text(&value->items));
    rh_append_byte(&vars->packed, ']');
    end(vars);
}

static rh_bytes *item(rh_list *list) {
    if (list->items.length) rh_append_byte(&list->items, ',');
    return &list->items;
}

void rh_add(rh_list *list, rh_text text) { rh_write_string(item(list), text); }
void rh_add_int(rh_list *list, int64_t value) { rh_append_text(item(list), rh_decimal(NULL, value)); }
void rh_add_json(rh_list *list, rh_json value) { rh_append_text(item(list), value.raw.length ? value.raw : RH("null")); }
void rh_add_vars(rh_list *list, const rh_vars *value) { rh_write_object(item(list), value); }

/* The values in ascending order, each name once: the last one set. Most objects
 * are small and nearly in order, so they are sorted by insertion. */
static member *ordered(const rh_vars *vars, size_t *count) {
    size_t all = 0, end;
    for (size_t at = 0; at < vars->packed.length; at = end, all++) read_at(vars, at, &end);
    member *out = rh_take(all * sizeof *out);
    *count = 0;
    for (size_t at = 0; at < vars->packed.length; at = end) {
        member m = read_at(vars, at, &end);
        size_t place = *count;
        int order = -1;
        while (place && (order = rh_compare(out[place - 1].name, m.name)) > 0) place--;
        if (place && order == 0) {
            out[place - 1] = m;
            continue;
        }
        memmove(out + place + 1, out + place, (*count - place) * sizeof *out);
        out[place] = m;
        ++*count;
    }
    return out;
}

typedef void (*use)(rh_bytes *, uint32_t number, member, size_t place);

static void each(const rh_vars *vars, rh_bytes *b, uint32_t number, use f) {
    if (!vars) return;
    if (vars->disordered) {
        size_t count;
        const member *all = ordered(vars, &count);
        for (size_t i = 0; i < count; i++) f(b, number, all[i], i);
        return;
    }
    size_t place = 0, end;
    for (size_t at = 0; at < vars->packed.length; at = end, place++) f(b, number, read_at(vars, at, &end), place);
}

static void put_variable(rh_bytes *b, uint32_t number, member m, size_t place) {
    (void)place;
    rh_put_pair(b, number, m.name, m.json);
}

static void write_member(rh_bytes *b, uint32_t number, member m, size_t place) {
    (void)number;
    if (place) rh_append_byte(b, ',');
    rh_write_string(b, m.name);
    rh_append_byte(b, ':');
    rh_append_text(b, m.json);
}

/* Of each the packed form has two lengths of four bytes; encoded they are three
 * lengths and three tags. */
size_t rh_vars_about(const rh_vars *vars) { return vars ? vars->packed.length : 0; }

void rh_put_vars(rh_bytes *b, uint32_t number, const rh_vars *vars) { each(vars, b, number, put_variable); }

void rh_write_object(rh_bytes *b, const rh_vars *vars) {
    rh_append_byte(b, '{');
    each(vars, b, 0, write_member);
    rh_append_byte(b, '}');
}

rh_text rh_write(const rh_vars *vars) {
    rh_bytes out = {0};
    rh_write_object(&out, vars);
    return rh_bytes_text(&out);
}
