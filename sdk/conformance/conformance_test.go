package conformance_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/railhead-hub/railhead/sdk/build"
	"github.com/railhead-hub/railhead/sdk/conformance"
	"github.com/railhead-hub/railhead/sdk/manifest"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

const ledger = "testdata/ledger"

// The sample connector passes, compiled; that it passes natively too is its own
// test's to say.
func TestLedger(t *testing.T) {
	module, err := build.Module(t.Context(), ledger)
	if err != nil {
		t.Fatal(err)
	}
	again, err := build.Module(t.Context(), ledger)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(module, again) {
		t.Error("two builds of one source differ")
	}
	vectors, err := conformance.Load(ledger)
	if err != nil {
		t.Fatal(err)
	}
	var groups []string
	report, err := conformance.Examine(t.Context(), module, vectors, func(group string, _ []conformance.Verdict) { groups = append(groups, group) })
	if err != nil || len(report.Failed()) > 0 {
		t.Fatal(report.Failed(), err)
	}
	if want := []string{"vector", "crash", "warm", "shuffled", "prefix", "rules", "scheme", "engines"}; !slices.Equal(groups, want) {
		t.Errorf("groups %v, want %v", groups, want)
	}
	if len(report.Costs) != len(vectors) || report.Costs[0].Fuel <= 0 || report.Costs[0].MemoryBytes == 0 {
		t.Errorf("costs %+v", report.Costs)
	}
}

// A vector that fails is one failure and not one of every group; what else there is
// to say is said.
func TestFailingVector(t *testing.T) {
	module, err := build.Module(t.Context(), ledger)
	if err != nil {
		t.Fatal(err)
	}
	vectors := load(t, "job hold-{tenant}\n----\ncomplete\n")
	report, err := conformance.Examine(t.Context(), module, vectors, nil)
	if err != nil {
		t.Fatal(err)
	}
	failed := report.Failed()
	if len(failed) == 0 || failed[0].Case != "vector/vector.txt:1" || !strings.Contains(failed[0].Text, "- complete") {
		t.Errorf("%v", failed)
	}
	for _, v := range report.Verdicts {
		if strings.HasSuffix(v.Case, "/vector.txt:1") && v.Case != "vector/vector.txt:1" && v.Status != conformance.NotApplicable {
			t.Error(v)
		}
	}
	var xml strings.Builder
	if err := report.JUnit(&xml); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`<testsuites name="ledger 0.1.0"`, `<testsuite name="crash"`, `<testcase classname="ledger.scheme.hold" name="missing">`,
		`<skipped message="the vector itself fails">`, `<failure message="line 1:">`,
	} {
		if !strings.Contains(xml.String(), want) {
			t.Errorf("the report has no %s:\n%s", want, xml.String())
		}
	}
}

// say is a connector's step function, from a handler. Each test serves its own
// mistakes.
func say(f func(*sdkv1.StepRequest) *sdkv1.StepReply) func([]byte) []byte {
	return func(raw []byte) []byte {
		request := new(sdkv1.StepRequest)
		if err := request.UnmarshalVT(raw); err != nil {
			panic(err)
		}
		out, err := f(request).MarshalVTStrict()
		if err != nil {
			panic(err)
		}
		return out
	}
}

func complete(variables ...*sdkv1.Variable) *sdkv1.StepReply {
	return &sdkv1.StepReply{Outcome: &sdkv1.Outcome{Kind: &sdkv1.Outcome_Complete{Complete: &sdkv1.Complete{Variables: variables}}}}
}

func asking(e *sdkv1.Effect) *sdkv1.StepReply { return &sdkv1.StepReply{Effects: []*sdkv1.Effect{e}} }

func call(h *sdkv1.Http) *sdkv1.StepReply {
	return asking(&sdkv1.Effect{Ordinal: 1, Kind: &sdkv1.Effect_Http{Http: h}})
}

// once asks for the effect and then completes.
func once(first *sdkv1.StepReply) func(*sdkv1.StepRequest) *sdkv1.StepReply {
	return func(r *sdkv1.StepRequest) *sdkv1.StepReply {
		if len(r.History) == 0 {
			return first
		}
		return complete()
	}
}

var fail = &sdkv1.StepReply{Outcome: &sdkv1.Outcome{Kind: &sdkv1.Outcome_Fail{Fail: &sdkv1.Fail{Code: "NO"}}}}

// Each row is a broken connector, a vector that it agrees with, and the rule
// that finds it out all the same.
func TestRulesFindBrokenConnectors(t *testing.T) {
	calls := 0
	for _, row := range []struct {
		rule   string
		kind   string
		vector string
		step   func(*sdkv1.StepRequest) *sdkv1.StepReply
	}{
		{"contract", "scheme", "job work\n----\n7 sleep 1s\n\nanswer done\n----\ncomplete\n",
			once(asking(&sdkv1.Effect{Ordinal: 7, Kind: &sdkv1.Effect_Sleep{Sleep: &sdkv1.Sleep{DurationMs: 1000}}}))},
		{"declared", "scheme", "job work\n----\n1 http nowhere GET /\n\nanswer 200\n----\ncomplete\n",
			once(call(&sdkv1.Http{Endpoint: "nowhere", Method: "GET", Path: "/"}))},
		{"declared", "scheme", "job work\n----\n1 http bank GET /\nheader a: {{secret:s}}\n\nanswer 200\n----\ncomplete\n",
			once(call(&sdkv1.Http{Endpoint: "bank", Method: "GET", Path: "/", Headers: []*sdkv1.Header{{Key: "a", Value: "{{secret:s}}"}}}))},
		{"declared", "scheme", "job work\n----\n1 http bank POST /\nbody {{secret:token}}\n\nanswer 200\n----\ncomplete\n",
			once(call(&sdkv1.Http{Endpoint: "bank", Method: "POST", Path: "/", Body: []byte("{{secret:token}}")}))},
		{"money", "scheme", "job work\n----\n1 http bank POST /\nkey book\n\nanswer 200\n----\ncomplete\n",
			once(call(&sdkv1.Http{Endpoint: "bank", Method: "POST", Path: "/", Key: "book"}))},
		{"money", "scheme", "job work\n----\n1 http enquiry POST /\nkey book\nterms amount=1 currency=TZS\n\nanswer 200\n----\ncomplete\n",
			once(call(&sdkv1.Http{Endpoint: "enquiry", Method: "POST", Path: "/", Key: "book", Terms: &sdkv1.Terms{Amount: "1", Currency: "TZS"}}))},
		{"doubt", "ams", "job work\n----\n1 http bank POST /\nkey book\nterms amount=1 currency=TZS\n\nanswer 200\n----\ncomplete\n",
			once(call(&sdkv1.Http{Endpoint: "bank", Method: "POST", Path: "/", Key: "book", Terms: &sdkv1.Terms{Amount: "1", Currency: "TZS"}}))},
		{"json", "scheme", "job work\n----\ncomplete\nvar a {\n", func(*sdkv1.StepRequest) *sdkv1.StepReply {
			return complete(&sdkv1.Variable{Name: "a", Json: []byte("{")})
		}},
		{"unknown", "scheme", "job work\n----\ncomplete\n", func(*sdkv1.StepRequest) *sdkv1.StepReply { return complete() }},
		{"covered", "scheme", "job other\n----\nfail NO\n", func(*sdkv1.StepRequest) *sdkv1.StepReply { return fail }},
		{"hard-world", "scheme", "job work\n----\n1 http bank GET /\n\nanswer 200\n----\ncomplete\n", func(r *sdkv1.StepRequest) *sdkv1.StepReply {
			if len(r.History) == 0 {
				return call(&sdkv1.Http{Endpoint: "bank", Method: "GET", Path: "/"})
			}
			if r.History[0].Answer.GetHttp() == nil {
				return &sdkv1.StepReply{Error: "panic: nil"}
			}
			return complete()
		}},
		{"again", "scheme", "job work\n----\n1 sequence a\n\nanswer sequence 1\n----\ncomplete\n", func(r *sdkv1.StepRequest) *sdkv1.StepReply {
			if calls++; calls > 7 {
				return complete()
			}
			if len(r.History) == 0 {
				return asking(&sdkv1.Effect{Ordinal: 1, Kind: &sdkv1.Effect_Sequence{Sequence: &sdkv1.Sequence{Name: "a"}}})
			}
			return complete()
		}},
		{"warm", "scheme", "job work\n----\ncomplete\n", func() func(*sdkv1.StepRequest) *sdkv1.StepReply {
			seen := 0
			return func(*sdkv1.StepRequest) *sdkv1.StepReply {
				if seen++; seen > 2 {
					return complete(&sdkv1.Variable{Name: "again", Json: []byte("true")})
				}
				return complete()
			}
		}()},
		{"shuffled", "scheme", strings.Repeat("job work\nvar a 1\n----\n1 sleep 1s\n\nanswer done\n----\ncomplete\nvar a 1\n\njob work\nvar a 2\n----\n1 sleep 1s\n\nanswer done\n----\ncomplete\nvar a 2\n\n", 4), func() func(*sdkv1.StepRequest) *sdkv1.StepReply {
			var last *sdkv1.Variable // of whichever job was there last
			return func(r *sdkv1.StepRequest) *sdkv1.StepReply {
				if len(r.History) > 0 {
					return complete(last)
				}
				if vars := r.Trigger.GetJob().Variables; len(vars) > 0 {
					last = vars[0]
				}
				return asking(&sdkv1.Effect{Ordinal: 1, Kind: &sdkv1.Effect_Sleep{Sleep: &sdkv1.Sleep{DurationMs: 1000}}})
			}
		}()},
		{"again", "scheme", "job work\n----\n1 sequence a\n2 sequence b\n\nanswer sequence 1\nanswer sequence 2\n----\ncomplete\n", func(r *sdkv1.StepRequest) *sdkv1.StepReply {
			if len(r.History) > 0 { // it does not wait for the other
				return complete()
			}
			return &sdkv1.StepReply{Effects: []*sdkv1.Effect{
				{Ordinal: 1, Kind: &sdkv1.Effect_Sequence{Sequence: &sdkv1.Sequence{Name: "a"}}},
				{Ordinal: 2, Kind: &sdkv1.Effect_Sequence{Sequence: &sdkv1.Sequence{Name: "b"}}},
			}}
		}},
	} {
		dir := vectorDir(t, row.vector)
		vectors, err := conformance.Load(dir)
		if err != nil {
			t.Fatal(row.rule, err)
		}
		m := &sdkv1.Manifest{Name: "broken", Version: "1.0.0", Kind: row.kind,
			Jobs:      []*sdkv1.JobType{{Type: "work"}},
			Secrets:   []string{"token"},
			Endpoints: []*sdkv1.Endpoint{{Name: "bank", Mode: "keyed"}, {Name: "enquiry", Mode: "safe"}},
		}
		problems, err := conformance.Check(t.Context(), conformance.Native(m, say(row.step)), vectors)
		if err != nil {
			t.Fatal(row.rule, err)
		}
		if !slices.ContainsFunc(problems, func(p conformance.Problem) bool { return p.What == row.rule }) {
			t.Errorf("rule %s does not find %q: %v", row.rule, row.vector, problems)
		}
	}
}

func TestVectorsFindDifferences(t *testing.T) {
	m := &sdkv1.Manifest{Name: "broken", Version: "1.0.0", Kind: "scheme", Jobs: []*sdkv1.JobType{{Type: "work"}}}
	for what, row := range map[string]struct{ vector, want string }{
		"another outcome":  {"job work\n----\nfail NO\n", "- fail NO\n+ complete"},
		"one more line":    {"job work\n----\ncomplete\nvar a 1\n", "  complete\n- var a 1"},
		"what is the same": {"job work\n----\nwaits\ncomplete\n", "- waits\n  complete"},
		"left over answer": {"job work\n----\ncomplete\n\nanswer 200\n----\ncomplete\n", "line 5: the connector has ended before this answer"},
	} {
		vectors, err := conformance.Load(vectorDir(t, row.vector))
		if err != nil {
			t.Fatal(what, err)
		}
		problems, err := conformance.Check(t.Context(), conformance.Native(m, say(func(*sdkv1.StepRequest) *sdkv1.StepReply { return complete() })), vectors)
		if err != nil || len(problems) == 0 || !strings.Contains(problems[0].Text, row.want) {
			t.Errorf("%s: got %v, %v", what, problems, err)
		}
	}
}

func TestRewrite(t *testing.T) {
	dir := vectorDir(t, "# A story.\n\nconfig {\"a\":1}\n\n# It holds.\njob hold-{tenant}\nvar amount \"1\"\nvar currency \"TZS\"\n----\n\nanswer 201\n----\n")
	m, err := manifest.ReadFile(ledger)
	if err != nil {
		t.Fatal(err)
	}
	step := say(func(r *sdkv1.StepRequest) *sdkv1.StepReply {
		if len(r.History) == 0 {
			return call(&sdkv1.Http{Endpoint: "ledger", Method: "POST", Path: "/", Body: []byte("two\nlines")})
		}
		return complete()
	})
	if err := conformance.Rewrite(t.Context(), conformance.Native(m, step), dir); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(dir, "testdata", "vector.txt"))
	if err != nil {
		t.Fatal(err)
	}
	want := "# A story.\n\nconfig {\"a\":1}\n\n# It holds.\njob hold-{tenant}\nvar amount \"1\"\nvar currency \"TZS\"\n----\n" +
		"1 http ledger POST /\nbody two\nbody lines\n\nanswer 201\n----\ncomplete\n"
	if string(got) != want {
		t.Fatalf("got\n%s", got)
	}
}

func TestParseErrorsNameTheLine(t *testing.T) {
	for vector, want := range map[string]string{
		"job work\nvar a {\n----\n":                      "vector.txt:2: \"{\" is not JSON",
		"job work\ncolour red\n----\n":                   "vector.txt:2: \"colour\" is no line",
		"answer 200\n----\n":                             "vector.txt:1: an answer before any trigger",
		"job work\n----\ncomplete\n\nanswer maybe\n----": "vector.txt:5: \"maybe\" is no answer",
		"job work\ntime noon\n----\n":                    "vector.txt:2:",
		"request r GET\n----\n":                          "vector.txt:1:",
		"job work\n----\ncomplete\n\nanswer 42\n----":    "vector.txt:5: \"42\" is no answer",
		"job work\n":                   "four dashes",
		"config {\n\njob work\n----\n": "vector.txt:1:",
	} {
		_, err := conformance.Load(vectorDir(t, vector))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", vector, err, want)
		}
	}
}

// What authors read about vectors is what the parser takes.
func TestTheFormatIsDescribed(t *testing.T) {
	page, err := os.ReadFile("../template/common/testdata/README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "```\n")
	example, rest, _ := strings.Cut(rest, "```\n")
	if vectors, err := conformance.Load(vectorDir(t, example)); err != nil || len(vectors) != 1 {
		t.Errorf("the example is %d vectors, %v", len(vectors), err)
	}
	codes, err := os.ReadFile("../abi/failure.go")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`Failure\w+ *= "([A-Z_]+)"`).FindAllStringSubmatch(string(codes), -1)
	if len(found) == 0 {
		t.Error("sdk/abi has no codes of failures")
	}
	for _, code := range found {
		if !strings.Contains(rest, "\n"+code[1]+" ") {
			t.Errorf("it does not say what %s means", code[1])
		}
	}
}

func vectorDir(t *testing.T, text string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "testdata"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "testdata", "vector.txt"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}
