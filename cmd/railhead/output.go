package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// printJSON writes v on one line.
func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// protoJSON is the JSON of m with the contract's own field names, every field
// present, compact: protojson varies its spacing on purpose.
func protoJSON(m proto.Message) ([]byte, error) {
	raw, err := protojson.MarshalOptions{UseProtoNames: true, EmitUnpopulated: true}.Marshal(m)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := json.Compact(&out, raw); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func printProto(w io.Writer, m proto.Message) error {
	raw, err := protoJSON(m)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s\n", raw)
	return err
}

// table writes columns that line up. A row's cells are separated by tabs.
type table struct {
	w    *tabwriter.Writer
	rows int
}

func newTable(w io.Writer, head ...string) *table {
	t := &table{w: tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)}
	fmt.Fprintln(t.w, strings.ToUpper(strings.Join(head, "\t")))
	return t
}

func (t *table) row(cells ...any) {
	t.rows++
	for i, c := range cells {
		if i > 0 {
			fmt.Fprint(t.w, "\t")
		}
		text := plain(fmt.Sprint(c))
		if text == "" {
			text = "-"
		}
		fmt.Fprint(t.w, text)
	}
	fmt.Fprintln(t.w)
}

// plain shows what would move the cursor, colour the terminal or turn the text
// around as escapes: much of what is printed was written by strangers.
func plain(s string) string {
	strange := func(r rune) bool { return !unicode.IsPrint(r) }
	if !strings.ContainsFunc(s, strange) {
		return s
	}
	var out strings.Builder
	for _, r := range s {
		if strange(r) {
			quoted := strconv.QuoteRune(r)
			out.WriteString(quoted[1 : len(quoted)-1])
		} else {
			out.WriteRune(r)
		}
	}
	return out.String()
}

func (t *table) flush() error { return t.w.Flush() }

// plural is a number of things.
func plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// clockTime shows a time of the hub, in milliseconds since 1970 UTC.
func clockTime(ms int64) string {
	if ms == 0 {
		return "-"
	}
	return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z")
}

func digestText(digest []byte) string {
	if len(digest) == 0 {
		return "-"
	}
	return fmt.Sprintf("%x", digest)
}

// shortDigest is enough of a digest for eyes.
func shortDigest(digest []byte) string {
	if len(digest) < 6 {
		return digestText(digest)
	}
	return fmt.Sprintf("%x", digest[:6])
}
