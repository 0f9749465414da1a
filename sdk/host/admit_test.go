package host_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/railhead-hub/railhead/sdk/abi"
	"github.com/railhead-hub/railhead/sdk/host"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
	"github.com/railhead-hub/railhead/sdk/wasm"
)

// Each row is a module that must be refused, the code, and a word that the text
// must contain so that a person can act on it.
func TestRefused(t *testing.T) {
	good := guest{}.assemble(t)
	later, err := (&sdkv1.Manifest{Name: "n", Kind: "later", Contract: abi.ContractMinor + 1}).MarshalVTStrict()
	if err != nil {
		t.Fatal(err)
	}
	nested := bytes.Repeat([]byte{block, noResult}, 100_000)
	for what, row := range map[string]struct {
		module []byte
		code   host.Code
		word   string
	}{
		"empty":           {nil, host.NotWasm, "magic"},
		"text":            {[]byte("#!/bin/sh\necho no"), host.NotWasm, "magic"},
		"component":       {[]byte{0, 'a', 's', 'm', 0x0d, 0, 1, 0}, host.ForbiddenFeature, "core module"},
		"truncated":       {good[:len(good)/2], host.Malformed, "end"},
		"no manifest":     {guest{noManifest: true}.assemble(t), host.BadManifest, abi.SectionManifest},
		"broken manifest": {withManifestBytes(t, good, []byte{0xff}), host.BadManifest, "manifest"},
		// A later host may know a kind that this one does not: the contract comes first.
		"newer contract": {withManifestBytes(t, good, later),
			host.NewerContract, "later railhead"},
		"doubled manifest": {append(slices.Clone(good), good[bytes.LastIndex(good, name(abi.SectionManifest))-2:]...),
			host.BadManifest, "doubled"},
		"no marker":     {guest{omit: abi.ExportMarker}.assemble(t), host.MissingExport, abi.ExportMarker},
		"no buf":        {guest{omit: abi.ExportBuf}.assemble(t), host.MissingExport, abi.ExportBuf},
		"no step":       {guest{omit: abi.ExportStep}.assemble(t), host.MissingExport, abi.ExportStep},
		"no memory":     {guest{omit: abi.ExportMemory}.assemble(t), host.MissingExport, abi.ExportMemory},
		"step's type":   {guest{stepType: typeLog, step: []byte{}}.assemble(t), host.MissingExport, "(i32 i32 i32)"},
		"a command":     {guest{extra: []string{"_start"}}.assemble(t), host.ForbiddenExport, "reactor"},
		"the meter":     {guest{extra: []string{"railhead_fuel"}}.assemble(t), host.Malformed, "railhead_fuel"},
		"other import":  {guest{imports: []fnImport{{"env", "abort", typeNone}}}.assemble(t), host.ForbiddenImport, "env.abort"},
		"socket":        {guest{imports: []fnImport{{abi.ImportWASI, "sock_recv", typeNone}}}.assemble(t), host.ForbiddenImport, "sock_recv"},
		"import's type": {guest{imports: []fnImport{{abi.ImportModule, "log", typeNone}}}.assemble(t), host.ForbiddenImport, "railhead.log"},
		"big memory":    {guest{memory: []byte{0, 100}}.assemble(t), host.TooLarge, "memory"},
		"shared memory": {guest{memory: []byte{3, 1, 2}}.assemble(t), host.ForbiddenFeature, "shared"},
		"big table":     {guest{table: append([]byte{0}, wasm.AppendU32(nil, 1<<24)...)}.assemble(t), host.TooLarge, "table"},
		"tail call":     {guest{helper: []byte{returnCall, 0}}.assemble(t), host.ForbiddenFeature, "0x12"},
		"atomics":       {guest{helper: []byte{0xfe, 0x03, 0}}.assemble(t), host.ForbiddenFeature, "0xfe"},
		"exceptions":    {guest{helper: []byte{0x06, noResult, end}}.assemble(t), host.ForbiddenFeature, "0x6"},
		"nesting":       {guest{helper: nested}.assemble(t), host.TooComplex, "nested"},
		"br_table": {guest{helper: join(i32(0), []byte{brTable}, wasm.AppendU32(nil, 200_000), make([]byte, 200_001))}.assemble(t),
			host.TooComplex, "br_table"},
		"table.grow": {guest{table: []byte{0, 1}, helper: join([]byte{refNull, funcref}, i32(1000), []byte{misc, tableGrow, 0, drop})}.assemble(t),
			host.ForbiddenFeature, "table.grow"},
		"locals": {module(t, wasm.SectionCode, func(content []byte) []byte {
			// The first body becomes one with half a billion locals.
			return append(append([]byte{5}, append([]byte{8, 1}, append(wasm.AppendU32(nil, 1<<29), 0x7f, end)...)...), content[3:]...)
		}), host.TooComplex, "locals"},
		"the fuel's global": {guest{helper: []byte{globalGet, 0, drop}}.assemble(t), host.Malformed, "global"},
		"does not validate": {guest{helper: []byte{drop}}.assemble(t), host.Malformed, "drop"},
		"start loops":       {guest{start: []byte{loop, noResult, br, 0, end}}.assemble(t), host.InitFailed, "unreachable"},
		"start traps":       {guest{start: []byte{unreachable}}.assemble(t), host.InitFailed, "unreachable"},
	} {
		m, err := host.Open(t.Context(), row.module, host.Options{})
		if err == nil {
			m.Close(t.Context())
		}
		if host.CodeOf(err) != row.code || !strings.Contains(err.Error(), row.word) {
			t.Errorf("%s: got %v, want code %s and %q", what, err, row.code, row.word)
		}
	}
}

func TestAdmitted(t *testing.T) {
	for what, g := range map[string]guest{
		"plain":   {},
		"imports": {imports: []fnImport{{abi.ImportModule, "log", typeLog}}},
		"table":   {table: []byte{0, 10}},
		"maximum": {memory: append([]byte{1, 1}, wasm.AppendU32(nil, 65536)...)},
		"limits":  {limits: &sdkv1.Limits{}},
	} {
		m, err := host.Open(t.Context(), g.assemble(t), host.Options{})
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		reply, err := m.Step(t.Context(), "greenbank", doing("anything"))
		if err != nil || reply.Outcome.GetComplete() == nil {
			t.Errorf("%s: got %v, %v", what, reply, err)
		}
		if err := m.Close(t.Context()); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestCacheDirMustBePrivate(t *testing.T) {
	dir := t.TempDir() + "/cache"
	for range 2 {
		m, err := host.Open(t.Context(), guest{}.assemble(t), host.Options{CacheDir: dir})
		if err != nil {
			t.Fatal(err)
		}
		m.Close(t.Context())
	}
	makeWritable(t, dir)
	if _, err := host.Open(t.Context(), guest{}.assemble(t), host.Options{CacheDir: dir}); err == nil {
		t.Fatal("a directory that others may write to is used")
	}
}

// withManifestBytes replaces the manifest section's content.
func withManifestBytes(t *testing.T, module, content []byte) []byte {
	t.Helper()
	out, err := wasm.WithCustom(module, abi.SectionManifest, content)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// withSection replaces a section's content.
func withSection(t *testing.T, module []byte, id byte, content []byte) []byte {
	t.Helper()
	sections, err := wasm.Sections(module)
	if err != nil {
		t.Fatal(err)
	}
	out := slices.Clone(wasm.Header)
	for _, s := range sections {
		if s.ID == id {
			out = wasm.AppendSection(out, id, content)
		} else {
			out = append(out, s.Raw...)
		}
	}
	return out
}

// module is the plain module with one section's content changed.
func module(t *testing.T, id byte, change func([]byte) []byte) []byte {
	t.Helper()
	plain := guest{}.assemble(t)
	sections, err := wasm.Sections(plain)
	if err != nil {
		t.Fatal(err)
	}
	out := slices.Clone(wasm.Header)
	for _, s := range sections {
		if s.ID == id && id != wasm.SectionCustom {
			out = wasm.AppendSection(out, id, change(s.Content))
		} else {
			out = append(out, s.Raw...)
		}
	}
	return out
}
