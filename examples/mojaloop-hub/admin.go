package mojaloophub

import (
	"encoding/json"
	"net"
	"net/http"
	"strconv"
)

// adminRoutes serves what a test or a demonstration needs and no scheme has. It is
// open to loopback alone, whatever address the server listens on.
func (s *Server) adminRoutes() {
	local := func(handle http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			host, _, _ := net.SplitHostPort(r.RemoteAddr)
			if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
				adminError(w, http.StatusForbidden, "the admin API answers to loopback only")
				return
			}
			handle(w, r)
		}
	}
	s.mux.HandleFunc("POST /admin/faults", local(s.adminInject))
	s.mux.HandleFunc("DELETE /admin/faults", local(func(w http.ResponseWriter, _ *http.Request) {
		s.ClearFaults()
		w.WriteHeader(http.StatusNoContent)
	}))
	s.mux.HandleFunc("GET /admin/payees/{id}", local(func(w http.ResponseWriter, r *http.Request) {
		view, ok := s.Payee(r.PathValue("id"))
		adminAnswer(w, view, ok)
	}))
	s.mux.HandleFunc("POST /admin/payees", local(s.adminEnrol))
	s.mux.HandleFunc("GET /admin/transfers", local(func(w http.ResponseWriter, r *http.Request) {
		limit, err := strconv.Atoi(r.FormValue("limit"))
		if err != nil || limit < 1 || limit > 100_000 {
			limit = 1000
		}
		adminAnswer(w, s.Transfers(limit), true)
	}))
	s.mux.HandleFunc("GET /admin/transfers/{id}", local(func(w http.ResponseWriter, r *http.Request) {
		view, ok := s.Transfer(r.PathValue("id"))
		adminAnswer(w, view, ok)
	}))
	s.mux.HandleFunc("GET /admin/status", local(func(w http.ResponseWriter, _ *http.Request) {
		adminAnswer(w, s.Status(), true)
	}))
}

// Status is the hub's work in numbers.
type Status struct {
	Quotes    int    `json:"quotes"`
	Transfers int    `json:"transfers"`
	Faults    int    `json:"faults"`
	Callbacks Counts `json:"callbacks"`
}

// Status counts.
func (s *Server) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Status{Quotes: len(s.quotes), Transfers: len(s.transfers), Faults: len(s.faults), Callbacks: s.counts}
}

func (s *Server) adminInject(w http.ResponseWriter, r *http.Request) {
	var f Fault
	if !adminDecode(w, r, &f) {
		return
	}
	if err := s.Inject(f); err != nil {
		adminError(w, http.StatusBadRequest, err.Error())
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s *Server) adminEnrol(w http.ResponseWriter, r *http.Request) {
	var p Payee
	if !adminDecode(w, r, &p) {
		return
	}
	if err := s.enrol(p); err != nil {
		adminError(w, http.StatusBadRequest, err.Error())
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func adminDecode(w http.ResponseWriter, r *http.Request, v any) bool {
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		adminError(w, http.StatusBadRequest, "body: "+err.Error())
		return false
	}
	return true
}

func adminAnswer(w http.ResponseWriter, v any, found bool) {
	if !found {
		adminError(w, http.StatusNotFound, "there is no such thing")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(encode(v))
}

func adminError(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(encode(map[string]string{"error": text}))
}
