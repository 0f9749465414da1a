// Command run measures guests: the same 260 bytes in, work and 260 bytes out in
// Go, Rust, C and TypeScript, metered and not, beside native Go and beside
// Extism's SDK for Go with the same C code; and what the sandbox promises besides.
// It prints each figure beside its bar and exits 0, met or missed: figures depend
// on the machine. `make bench-connectors` runs it.
//
// It is a module of its own, so that Extism's dependencies do not choose the
// product's versions. Begin with main; guest.go builds the guests, measure.go
// times them, promise.go holds the rest.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"
)

// report is what --json prints. Times are in nanoseconds.
type report struct {
	Go       string    `json:"go"`
	Cores    int       `json:"cores"`
	Request  int       `json:"request_bytes"`
	Reply    int       `json:"reply_bytes"`
	Rows     []row     `json:"rows"`
	Bars     []bar     `json:"bars"`
	LeftOut  []string  `json:"left_out,omitempty"`
	Finished time.Time `json:"finished"`
}

// bar is a figure and what it was to be.
type bar struct {
	What string  `json:"what"`
	Want string  `json:"want"`
	Got  float64 `json:"got"`
	Unit string  `json:"unit"`
	Met  bool    `json:"met"`
}

func (r *report) most(what string, most, got float64, unit string) {
	r.Bars = append(r.Bars, bar{what, fmt.Sprintf("at most %g %s", most, unit), got, unit, got <= most})
}

func main() {
	dir := flag.String("dir", "..", "the folder of the guests")
	asJSON := flag.Bool("json", false, "print JSON")
	rounds := flag.Int("rounds", 7, "times that each guest is measured; the least counts")
	each := flag.Duration("each", 150*time.Millisecond, "how long each time takes, about")
	flag.Parse()
	out, err := run(context.Background(), *dir, *rounds, *each)
	if err == nil && *asJSON {
		encoder := json.NewEncoder(os.Stdout)
		encoder.SetIndent("", "  ")
		err = encoder.Encode(out)
	} else if err == nil {
		err = out.print(os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench-connectors:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, dir string, rounds int, each time.Duration) (*report, error) {
	work, err := os.MkdirTemp("", "bench-connectors-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(work)
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	out := &report{Go: runtime.Version(), Cores: runtime.GOMAXPROCS(0)}
	guests, leftOut, err := buildGuests(ctx, dir, work)
	if err != nil {
		return nil, err
	}
	out.LeftOut = leftOut
	if err := out.measureGuests(ctx, guests, rounds, each); err != nil {
		return nil, err
	}
	for _, promise := range []func(context.Context, map[string][]byte, string) error{
		out.runaway, out.pauses, out.inFlight, out.admission(dir),
	} {
		if err := promise(ctx, guests, work); err != nil {
			return nil, err
		}
	}
	out.Finished = time.Now().UTC()
	return out, nil
}
