package wasm_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/railhead-hub/railhead/sdk/wasm"
)

// TestSpecification runs the test suite of the WebAssembly core specification,
// versions 1 and 2, with every module metered, in the compiler and in the
// interpreter. What returns must return the same, what traps must trap in the same
// way, what is invalid must stay so, and both engines must take the same fuel. The
// suite comes with wazero's source.
func TestSpecification(t *testing.T) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/tetratelabs/wazero").Output()
	if err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(strings.TrimSpace(string(out)), "internal", "integration_test", "spectest")
	around, err := os.ReadFile(filepath.Join(root, "testdata", "spectest.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	for _, version := range []struct {
		dir              string
		features         api.CoreFeatures
		scripts, asserts int // at least so many
	}{
		{"v1", api.CoreFeaturesV1, 70, 18_000},
		{"v2", api.CoreFeaturesV2, 140, 45_000},
	} {
		t.Run(version.dir, func(t *testing.T) {
			scripts, err := filepath.Glob(filepath.Join(root, version.dir, "testdata", "*.json"))
			if err != nil || len(scripts) < version.scripts {
				t.Fatalf("%d scripts, %v", len(scripts), err)
			}
			var sum specTally
			for _, path := range scripts {
				var fuel [2][]int64
				for e, config := range []wazero.RuntimeConfig{wazero.NewRuntimeConfigCompiler(), wazero.NewRuntimeConfigInterpreter()} {
					s := newSpecScript(t, path, around, config.WithCoreFeatures(version.features))
					s.run()
					fuel[e] = s.fuel
					sum.add(s.specTally)
				}
				if !slices.Equal(fuel[0], fuel[1]) {
					t.Errorf("%s: the engines differ in fuel", filepath.Base(path))
				}
			}
			t.Logf("%+v", sum)
			if sum.asserts < version.asserts {
				t.Errorf("only %d assertions were made", sum.asserts)
			}
		})
	}
}

// specTally counts what the scripts did. Refused modules use table.grow, which
// the meter does not take; what is asserted of them is left out.
type specTally struct{ modules, refused, asserts, invalid, leftOut int }

func (a *specTally) add(b specTally) {
	a.modules += b.modules
	a.refused += b.refused
	a.asserts += b.asserts
	a.invalid += b.invalid
	a.leftOut += b.leftOut
}

type specValue struct {
	Type     string          `json:"type"`
	LaneType string          `json:"lane_type"`
	Value    json.RawMessage `json:"value"`
}

type specCommand struct {
	Type, Name, Filename, As, Text string
	Line                           int
	ModuleType                     string `json:"module_type"`
	Action                         struct {
		Type, Field, Module string
		Args                []specValue
	}
	Expected []specValue
}

type specScript struct {
	specTally
	t       *testing.T
	dir     string
	name    string
	line    int
	list    []specCommand
	runtime wazero.Runtime
	named   map[string]api.Module
	last    api.Module // nil if it was refused
	fuel    []int64
}

func newSpecScript(t *testing.T, path string, around []byte, config wazero.RuntimeConfig) *specScript {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Commands []specCommand }
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	ctx := context.Background()
	s := &specScript{
		t: t, dir: filepath.Dir(path), name: filepath.Base(path), list: file.Commands,
		runtime: wazero.NewRuntimeWithConfig(ctx, config), named: map[string]api.Module{},
	}
	if _, err := s.runtime.InstantiateWithConfig(ctx, around, wazero.NewModuleConfig()); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *specScript) errorf(format string, args ...any) {
	s.t.Helper()
	s.t.Errorf("%s:%d: %s", s.name, s.line, fmt.Sprintf(format, args...))
}

func (s *specScript) run() {
	ctx := context.Background()
	defer s.runtime.Close(ctx)
	for at := 0; at < len(s.list); at++ {
		c := &s.list[at]
		s.line = c.Line
		switch c.Type {
		case "module":
			as := ""
			if at+1 < len(s.list) && s.list[at+1].Type == "register" {
				as = s.list[at+1].As
				at++
			}
			s.last = s.instantiate(c, as)
			if c.Name != "" {
				s.named[c.Name] = s.last
			}
		case "assert_return", "action", "assert_trap", "assert_exhaustion":
			m := s.last
			if c.Action.Module != "" {
				m = s.named[c.Action.Module]
			}
			if m == nil {
				s.leftOut++
				continue
			}
			s.asserts++
			if c.Action.Type == "get" {
				s.same(c.Expected, []uint64{m.ExportedGlobal(c.Action.Field).Get()})
			} else {
				s.invoke(m, c)
			}
		case "assert_invalid", "assert_malformed", "assert_unlinkable", "assert_uninstantiable":
			if c.ModuleType == "text" {
				continue
			}
			s.invalid++
			// The engine keeps what a module did whose tables' elements do not fit, as
			// later versions of the specification ask for.
			_, err := s.metered(c.Filename, "")
			if (err == nil) != (c.Type == "assert_uninstantiable" && c.Text == "out of bounds table access") {
				s.errorf("%s (%s): %v", c.Type, c.Text, err)
			}
		default:
			s.errorf("command %s is unknown", c.Type)
		}
	}
}

var specOptions = wasm.MeterOptions{
	Fuel: "railhead fuel", Depth: "railhead depth",
	Initial: 1 << 40, DepthMax: 1 << 18, MemoryMaxPages: 1 << 16, TableMax: 1<<32 - 1,
}

func (s *specScript) metered(file, as string) (api.Module, error) {
	module, err := os.ReadFile(filepath.Join(s.dir, file))
	if err != nil {
		s.t.Fatal(err)
	}
	metered, err := wasm.Meter(module, specOptions)
	if err != nil {
		return nil, err
	}
	return s.runtime.InstantiateWithConfig(context.Background(), metered, wazero.NewModuleConfig().WithName(as))
}

func (s *specScript) instantiate(c *specCommand, as string) api.Module {
	s.named[c.Name] = nil
	m, err := s.metered(c.Filename, as)
	var refused *wasm.FormatError
	switch {
	case errors.As(err, &refused) && strings.Contains(refused.Text, "table.grow"),
		err != nil && s.refused > 0 && strings.HasSuffix(err.Error(), "not instantiated"):
		s.refused++
		return nil
	case err != nil:
		s.errorf("%v", err)
		return nil
	}
	s.modules++
	return m
}

// trapTexts are the engine's words for what the suite says.
var trapTexts = map[string]string{
	"out of bounds memory access":   "out of bounds memory access",
	"indirect call type mismatch":   "indirect call type mismatch",
	"indirect call":                 "indirect call type mismatch",
	"undefined element":             "invalid table access",
	"undefined":                     "invalid table access",
	"out of bounds table access":    "invalid table access",
	"integer overflow":              "integer overflow",
	"invalid conversion to integer": "invalid conversion to integer",
	"integer divide by zero":        "integer divide by zero",
	"unreachable":                   "unreachable",
}

func (s *specScript) invoke(m api.Module, c *specCommand) {
	var args []uint64
	for _, a := range c.Action.Args {
		args = append(args, specBits(a)...)
	}
	fuel, depth := m.ExportedGlobal(specOptions.Fuel).(api.MutableGlobal), m.ExportedGlobal(specOptions.Depth).(api.MutableGlobal)
	fuel.Set(1 << 40)
	depth.Set(uint64(specOptions.DepthMax))
	got, err := m.ExportedFunction(c.Action.Field).Call(context.Background(), args...)
	if c.Type != "assert_exhaustion" {
		s.fuel = append(s.fuel, int64(fuel.Get()))
	}
	switch c.Type {
	case "assert_exhaustion":
		// The interpreter has a limit of its own, of two thousand calls.
		if err == nil || int32(depth.Get()) >= 0 && !strings.Contains(err.Error(), "stack overflow") {
			s.errorf("%s: %v, with %d of its depth left", c.Action.Field, err, int32(depth.Get()))
		}
	case "assert_trap":
		want, known := trapTexts[c.Text]
		if !known && strings.HasPrefix(c.Text, "uninitialized") {
			want = "invalid table access"
		}
		if want == "" || err == nil || !strings.Contains(err.Error(), want) || int64(fuel.Get()) < 0 {
			s.errorf("%s: got %v, want %s", c.Action.Field, err, c.Text)
		}
	default:
		if err != nil {
			s.errorf("%s: %v", c.Action.Field, err)
		} else if c.Type == "assert_return" {
			s.same(c.Expected, got)
		}
		if left := int32(depth.Get()); left != specOptions.DepthMax {
			s.errorf("%s: it has returned, and %d of %d of its depth are left", c.Action.Field, left, specOptions.DepthMax)
		}
	}
}

// same compares results with what is expected. Where any NaN of a kind will do,
// an expectation is a pattern.
func (s *specScript) same(want []specValue, got []uint64) {
	s.t.Helper()
	at := 0
	for _, w := range want {
		lanes := []json.RawMessage{w.Value}
		width := map[string]int{"i8": 8, "i16": 16, "i32": 32, "f32": 32}[w.laneType()]
		if width == 0 {
			width = 64
		}
		if w.Type == "v128" {
			if err := json.Unmarshal(w.Value, &lanes); err != nil {
				s.t.Fatal(err)
			}
		}
		if at+(len(lanes)*width+63)/64 > len(got) {
			s.errorf("got %x, want %s", got, want)
			return
		}
		for n, lane := range lanes {
			bits := got[at+n*width/64] >> (n * width % 64) & (1<<width - 1)
			if !specSame(w.laneType(), lane, bits) {
				s.errorf("got %x, want %s", got, w.Value)
			}
		}
		at += (len(lanes)*width + 63) / 64
	}
}

func (v specValue) laneType() string {
	if v.Type == "v128" {
		return v.LaneType
	}
	return v.Type
}

func specSame(typ string, want json.RawMessage, bits uint64) bool {
	const quiet32, quiet64 = 0x7fc00000, 0x7ff8000000000000
	mask, quiet := uint64(1<<31-1), uint64(quiet32)
	if typ == "f64" {
		mask, quiet = 1<<63-1, quiet64
	}
	switch text := strings.Trim(string(want), `"`); {
	case text == "nan:canonical":
		return bits&mask == quiet
	case text == "nan:arithmetic":
		return bits&quiet == quiet
	case len(want) == 0 && strings.HasSuffix(typ, "ref"):
		return true // any reference
	default:
		return specWord(typ, text) == bits
	}
}

func specWord(typ, text string) uint64 {
	if text == "null" {
		return 0
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		panic(fmt.Sprintf("%s %q", typ, text))
	}
	if typ == "externref" {
		n++ // the engine takes zero for null
	}
	return n
}

// specBits are an argument's words.
func specBits(v specValue) []uint64 {
	if v.Type != "v128" {
		return []uint64{specWord(v.Type, strings.Trim(string(v.Value), `"`))}
	}
	var lanes []string
	if err := json.Unmarshal(v.Value, &lanes); err != nil {
		panic(err)
	}
	words := make([]uint64, 2)
	width := 128 / len(lanes)
	for n, lane := range lanes {
		words[n*width/64] |= specWord(v.LaneType, lane) << (n * width % 64)
	}
	return words
}
