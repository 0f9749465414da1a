package feel

// contexts are the functions on contexts (DMN 1.3, table 78, and DMN 1.4).
var contexts = []builtin{
	{"get value", [][]string{{"m", "key"}, {"context", "key"}, {"context", "keys"}}, func(r *run, args []Value) Value {
		v := args[0]
		if keys := args[1]; keys.kind == KindList {
			for _, key := range keys.Items() {
				if v = entry(v, key); v.IsNull() {
					return Null
				}
			}
			if len(keys.Items()) == 0 {
				return Null
			}
			return v
		}
		return entry(v, args[1])
	}},
	{"get entries", [][]string{{"m"}, {"context"}}, func(r *run, args []Value) Value {
		c := one(args[0])
		if c.kind != KindContext {
			return Null
		}
		var all []Value
		for _, e := range c.Entries() {
			all = append(all, makeContext(r, []Entry{{"key", String(e.Key)}, {"value", e.Value}}))
		}
		return makeList(r, all)
	}},
	{"context", [][]string{{"entries"}}, func(r *run, args []Value) Value {
		list, ok := items(args[0])
		if !ok {
			return Null
		}
		var entries []Entry
		seen := map[string]bool{}
		for _, item := range list {
			key, isText := entry(item, String("key")).Text()
			value, ok := item.Get("value")
			if !isText || !ok || seen[key] {
				return Null
			}
			seen[key] = true
			entries = append(entries, Entry{key, value})
		}
		return makeContext(r, entries)
	}},
	{"context put", [][]string{{"context", "key", "value"}, {"context", "keys", "value"}}, func(r *run, args []Value) Value {
		c := one(args[0])
		if args[1].kind == KindList {
			return putPath(r, c, args[1].Items(), args[2])
		}
		return put(r, c, args[1], args[2])
	}},
	{"context merge", [][]string{{"contexts"}}, func(r *run, args []Value) Value {
		list, ok := items(args[0])
		if !ok {
			return Null
		}
		merged := NewContext()
		for _, item := range list {
			if item.kind != KindContext {
				return Null
			}
			for _, e := range item.Entries() {
				if merged = put(r, merged, String(e.Key), e.Value); merged.IsNull() {
					return Null
				}
			}
		}
		return merged
	}},
}

// entry is the value of a context's key, or null.
func entry(c, key Value) Value {
	name, ok := one(key).Text()
	if !ok {
		return Null
	}
	v, _ := one(c).Get(name)
	return v
}

// put is the context with one entry set; a new one comes last.
func put(r *run, c, key, value Value) Value {
	name, ok := one(key).Text()
	if !ok || c.kind != KindContext || !r.spend(len(c.Entries())) {
		return Null
	}
	entries := append([]Entry(nil), c.Entries()...)
	for i := range entries {
		if entries[i].Key == name {
			entries[i].Value = value
			return makeContext(r, entries)
		}
	}
	return makeContext(r, append(entries, Entry{name, value}))
}

// putPath sets an entry deep inside; all but the last key must be there and be
// contexts.
func putPath(r *run, c Value, keys []Value, value Value) Value {
	if len(keys) == 0 || len(keys) > maxHeight || c.kind != KindContext {
		return Null
	}
	if len(keys) > 1 {
		name, ok := keys[0].Text()
		if !ok {
			return Null
		}
		inner, _ := c.Get(name)
		if inner.kind != KindContext {
			return Null
		}
		if value = putPath(r, inner, keys[1:], value); value.IsNull() {
			return Null
		}
	}
	return put(r, c, keys[0], value)
}
