// As much of JSON as connectors to banks need: objects are written in the order they
// are given, and read member by member.

// quote is a string as JSON.
export function quote(s: string): string {
  const digits = "0123456789abcdef";
  const parts: string[] = ['"'];
  let from = 0;
  for (let i = 0; i < s.length; i++) {
    const c = s.charCodeAt(i);
    if (c >= 0x20 && c != 0x22 && c != 0x5c) continue;
    parts.push(s.substring(from, i));
    from = i + 1;
    if (c >= 0x20) parts.push("\\" + s.charAt(i));
    else if (c == 0x0a) parts.push("\\n");
    else if (c == 0x0d) parts.push("\\r");
    else if (c == 0x09) parts.push("\\t");
    else parts.push("\\u00" + digits.charAt(c >> 4) + digits.charAt(c & 15));
  }
  parts.push(s.substring(from));
  parts.push('"');
  return parts.join("");
}

// textOf is the text of a JSON scalar: a string's contents, else the JSON itself; ""
// for null and for what is not well formed.
export function textOf(json: string): string {
  if (json == "null") return "";
  if (json.length == 0 || json.charCodeAt(0) != 0x22) return json;
  const r = new Reader(json);
  const s = r.string();
  return r.bad ? "" : s;
}

// member is the JSON of an object's member, or "" if there is none or the text is not
// an object of well-formed JSON.
export function member(json: string, name: string): string {
  const r = new Reader(json);
  let found = "";
  r.space();
  if (!r.take(0x7b)) return "";
  r.space();
  if (!r.take(0x7d)) {
    do {
      r.space();
      const key = r.string();
      r.space();
      if (!r.take(0x3a)) return "";
      r.space();
      const from = r.at;
      r.value(0);
      if (key == name) found = json.substring(from, r.at);
      r.space();
    } while (!r.bad && r.take(0x2c));
    if (!r.take(0x7d)) return "";
  }
  r.space();
  return r.bad || r.at != json.length ? "" : found;
}

// stringMember is the text of a member that is a string, or "".
export function stringMember(json: string, name: string): string {
  const found = member(json, name);
  return found.startsWith('"') ? textOf(found) : "";
}

class Reader {
  at: i32 = 0;
  bad: bool = false;

  constructor(private s: string) {}

  private peek(): i32 { return this.at < this.s.length ? this.s.charCodeAt(this.at) : -1; }

  space(): void {
    for (let c = this.peek(); c == 0x20 || c == 0x0a || c == 0x0d || c == 0x09; c = this.peek()) this.at++;
  }

  take(c: i32): bool {
    if (this.bad || this.peek() != c) return false;
    this.at++;
    return true;
  }

  string(): string {
    if (!this.take(0x22)) {
      this.bad = true;
      return "";
    }
    // Parts, since adding to a string copies it.
    const parts: string[] = [];
    let from = this.at;
    while (!this.bad) {
      const c = this.peek();
      if (c < 0x20) break;
      this.at++;
      if (c == 0x22) {
        const last = this.s.substring(from, this.at - 1);
        if (parts.length == 0) return last;
        parts.push(last);
        return parts.join("");
      }
      if (c != 0x5c) continue;
      parts.push(this.s.substring(from, this.at - 1));
      const e = this.peek();
      this.at++;
      if (e == 0x22 || e == 0x5c || e == 0x2f) parts.push(String.fromCharCode(e));
      else if (e == 0x62) parts.push("\b");
      else if (e == 0x66) parts.push("\f");
      else if (e == 0x6e) parts.push("\n");
      else if (e == 0x72) parts.push("\r");
      else if (e == 0x74) parts.push("\t");
      else if (e == 0x75) parts.push(String.fromCharCode(this.hex()));
      else break;
      from = this.at;
    }
    this.bad = true;
    return "";
  }

  private hex(): i32 {
    let n = 0;
    for (let i = 0; i < 4; i++, this.at++) {
      const c = this.peek();
      const d = c >= 0x30 && c <= 0x39 ? c - 0x30 : c >= 0x41 && c <= 0x46 ? c - 0x37 : c >= 0x61 && c <= 0x66 ? c - 0x57 : -1;
      if (d < 0) this.bad = true;
      n = n << 4 | (d & 15);
    }
    return n;
  }

  // value steps over any value. What is nested deeper than 64 is not well formed.
  value(depth: i32): void {
    const c = this.peek();
    if (depth > 64) this.bad = true;
    if (this.bad) return;
    if (c == 0x22) {
      this.string();
    } else if (c == 0x7b || c == 0x5b) {
      this.at++;
      const close = c + 2;
      this.space();
      if (this.take(close)) return;
      do {
        this.space();
        if (c == 0x7b) {
          this.string();
          this.space();
          if (!this.take(0x3a)) this.bad = true;
          this.space();
        }
        this.value(depth + 1);
        this.space();
      } while (this.take(0x2c));
      if (!this.take(close)) this.bad = true;
    } else {
      const from = this.at;
      for (let k = this.peek(); k > 0x20 && k != 0x2c && k != 0x5d && k != 0x7d && k != 0x3a && k != 0x22; k = this.peek()) this.at++;
      if (!scalar(this.s.substring(from, this.at))) this.bad = true;
    }
  }
}

function scalar(s: string): bool {
  if (s == "true" || s == "false" || s == "null") return true;
  let i = s.startsWith("-") ? 1 : 0;
  const whole = i;
  i = digitsEnd(s, i);
  if (i == whole || (i > whole + 1 && s.charCodeAt(whole) == 0x30)) return false;
  if (i < s.length && s.charCodeAt(i) == 0x2e) {
    const from = i + 1;
    i = digitsEnd(s, from);
    if (i == from) return false;
  }
  if (i < s.length && (s.charCodeAt(i) | 0x20) == 0x65) {
    i++;
    if (i < s.length && (s.charCodeAt(i) == 0x2b || s.charCodeAt(i) == 0x2d)) i++;
    const from = i;
    i = digitsEnd(s, from);
    if (i == from) return false;
  }
  return i == s.length;
}

function digitsEnd(s: string, i: i32): i32 {
  while (i < s.length && s.charCodeAt(i) >= 0x30 && s.charCodeAt(i) <= 0x39) i++;
  return i;
}

// Vars are named JSON values. They are written in ascending order of their names, which
// is what every SDK does.
export class Vars {
  names: string[] = [];
  values: string[] = [];

  // json sets a value that is JSON already.
  json(name: string, json: string): Vars {
    let at = 0;
    while (at < this.names.length && this.names[at] < name) at++;
    if (at < this.names.length && this.names[at] == name) {
      this.values[at] = json;
      return this;
    }
    this.names.push("");
    this.values.push("");
    for (let i = this.names.length - 1; i > at; i--) {
      this.names[i] = this.names[i - 1];
      this.values[i] = this.values[i - 1];
    }
    this.names[at] = name;
    this.values[at] = json;
    return this;
  }

  text(name: string, value: string): Vars { return this.json(name, quote(value)); }
  bool(name: string, value: bool): Vars { return this.json(name, value ? "true" : "false"); }
  int(name: string, value: i64): Vars { return this.json(name, value.toString()); }

  toString(): string {
    const parts: string[] = [];
    for (let i = 0; i < this.names.length; i++) parts.push(quote(this.names[i]) + ":" + this.values[i]);
    return "{" + parts.join(",") + "}";
  }
}
