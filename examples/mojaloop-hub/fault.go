package mojaloophub

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

// The kinds of fault. Where nothing else is said, the request is processed as
// usual and only its answer suffers.
const (
	Delay           = "delay"            // the callback waits DelayMS
	Silence         = "silence"          // processed, and never called back
	Lost            = "lost"             // 202, then nothing: not processed at all
	Error           = "error"            // an /error callback with ErrorCode; nothing is credited
	WrongFulfilment = "wrong-fulfilment" // COMMITTED, credited, with a fulfilment that does not fit; enquiries repeat it
	WrongTerms      = "wrong-terms"      // a quote whose packet promises twice the amount
	Duplicate       = "duplicate"        // the callback comes twice
	Early           = "early"            // the callback comes before the 202
	Reset           = "reset"            // processed, and the connection breaks instead of the 202
	HTTP503         = "http-503"         // refused for now; not processed
	HTTP400         = "http-400"         // refused with ErrorCode; not processed
)

var faultKinds = []string{Delay, Silence, Lost, Error, WrongFulfilment, WrongTerms, Duplicate, Early, Reset, HTTP503, HTTP400}

var errorCode = regexp.MustCompile(`^[1-9][0-9]{3}$`)

// Fault makes the hub misbehave on the next requests of one resource.
type Fault struct {
	// Resource is parties, quotes or transfers.
	Resource string `json:"resource"`
	// Method is GET or POST; empty means the request that begins something: GET for
	// parties, POST for the others. GET of the others is an enquiry.
	Method string `json:"method,omitempty"`
	Kind   string `json:"kind"`
	// Count is how many requests suffer; 0 means one, below 0 all until cleared.
	Count     int    `json:"count,omitempty"`
	DelayMS   int64  `json:"delay_ms,omitempty"`
	ErrorCode string `json:"error_code,omitempty"`
}

func (f Fault) code(otherwise string) string {
	if f.ErrorCode != "" {
		return f.ErrorCode
	}
	return otherwise
}

func (f Fault) delay() time.Duration { return time.Duration(f.DelayMS) * time.Millisecond }

func (f *Fault) check() error {
	if !slices.Contains([]string{"parties", "quotes", "transfers"}, f.Resource) {
		return fmt.Errorf("resource %q is none of parties, quotes, transfers", f.Resource)
	}
	if f.Method == "" {
		f.Method = http.MethodPost
		if f.Resource == "parties" {
			f.Method = http.MethodGet
		}
	}
	if f.Method != http.MethodGet && f.Method != http.MethodPost {
		return fmt.Errorf("method %q is neither GET nor POST", f.Method)
	}
	if !slices.Contains(faultKinds, f.Kind) {
		return fmt.Errorf("kind %q is none of %s", f.Kind, strings.Join(faultKinds, ", "))
	}
	if f.Kind == WrongFulfilment && f.Resource != "transfers" || f.Kind == WrongTerms && f.Resource != "quotes" {
		return fmt.Errorf("%s does not happen to %s", f.Kind, f.Resource)
	}
	if f.DelayMS < 0 || f.DelayMS > 3_600_000 {
		return fmt.Errorf("delay_ms %d is not between 0 and one hour", f.DelayMS)
	}
	if f.ErrorCode != "" && !errorCode.MatchString(f.ErrorCode) {
		return fmt.Errorf("error_code %q is not four digits", f.ErrorCode)
	}
	if f.Count == 0 {
		f.Count = 1
	}
	return nil
}

// Inject adds a fault behind those already waiting.
func (s *Server) Inject(f Fault) error {
	if err := f.check(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.faults) == 1024 {
		return fmt.Errorf("1024 faults wait already; clear them first")
	}
	s.faults = append(s.faults, &f)
	return nil
}

// ClearFaults takes back the faults not yet suffered.
func (s *Server) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// takeFault is the fault this request suffers, counted down.
func (s *Server) takeFault(resource, method string) Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, f := range s.faults {
		if f.Resource != resource || f.Method != method {
			continue
		}
		taken := *f
		if f.Count > 0 {
			if f.Count--; f.Count == 0 {
				s.faults = slices.Delete(s.faults, i, i+1)
			}
		}
		return taken
	}
	return Fault{}
}

// ToolkitAmounts are the magic amounts of Mojaloop's testing toolkit, with one more
// for a refusal.
func ToolkitAmounts() map[string]Fault {
	return map[string]Fault{
		"15": {Resource: "transfers", Kind: WrongFulfilment},
		"16": {Resource: "transfers", Kind: Silence},
		"17": {Resource: "transfers", Kind: Error},
	}
}
