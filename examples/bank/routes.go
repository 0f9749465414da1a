package bank

import (
	_ "embed"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

//go:embed openapi.yaml
var openAPI []byte

// route is one row of the interface.
type route struct {
	method, path string
	handle       http.HandlerFunc
}

// routes is the table of the interface. openapi.yaml describes each row, and a
// test holds the two together.
func (s *Server) routes() (table []route) {
	handle := func(method, path string, h http.HandlerFunc) { table = append(table, route{method, path, h}) }

	handle("POST", "/accounts", mutation(s, http.StatusCreated, func(t *tx, _ *http.Request, b OpenAccount) (any, error) { return t.openAccount(b) }))
	handle("GET", "/accounts", s.enquiry(func(t *tx, r *http.Request) (any, error) {
		limit, err := limitOf(r)
		if err != nil {
			return nil, err
		}
		q := r.URL.Query()
		list, err := t.listAccounts(q.Get("institution"), q.Get("after"), limit)
		return map[string]any{"accounts": list}, err
	}, "institution", "after", "limit"))
	handle("GET", "/accounts/{id}", s.enquiry(func(t *tx, r *http.Request) (any, error) { return t.getAccount(r.PathValue("id")) }))
	handle("POST", "/accounts/{id}/state", mutation(s, http.StatusOK, func(t *tx, r *http.Request, b SetState) (any, error) { return t.setState(r.PathValue("id"), b) }))
	handle("GET", "/accounts/{id}/statement", s.enquiry(getStatement, "from", "to", "after", "limit"))
	handle("GET", "/parties/{type}/{value}", s.enquiry(func(t *tx, r *http.Request) (any, error) {
		return t.getParty(r.URL.Query().Get("institution"), r.PathValue("type"), r.PathValue("value"))
	}, "institution"))
	handle("POST", "/quotes", s.admit(s.postQuote))

	handle("POST", "/holds", mutation(s, http.StatusCreated, func(t *tx, _ *http.Request, b PlaceHold) (any, error) { return t.placeHold(b) }))
	handle("GET", "/holds", s.enquiry(func(t *tx, r *http.Request) (any, error) {
		list, err := t.listHolds(causeOf(r))
		return map[string]any{"holds": list}, err
	}, "reference", "purpose"))
	handle("GET", "/holds/{id}", s.enquiry(func(t *tx, r *http.Request) (any, error) { return t.getHold(r.PathValue("id")) }))
	handle("POST", "/holds/{id}/release", mutation(s, http.StatusOK, func(t *tx, r *http.Request, b ReleaseHold) (any, error) { return t.releaseHold(r.PathValue("id"), b) }))

	handle("POST", "/bookings", mutation(s, http.StatusCreated, func(t *tx, _ *http.Request, b Book) (any, error) { return t.book(b) }))
	handle("GET", "/bookings", s.enquiry(func(t *tx, r *http.Request) (any, error) {
		list, err := t.listBookings(causeOf(r))
		return map[string]any{"bookings": list}, err
	}, "reference", "purpose"))
	handle("GET", "/bookings/{id}", s.enquiry(func(t *tx, r *http.Request) (any, error) { return t.getBooking(r.PathValue("id")) }))
	handle("POST", "/deposits", mutation(s, http.StatusCreated, func(t *tx, _ *http.Request, b Deposit) (any, error) { return t.deposit(b) }))
	handle("POST", "/transfers", mutation(s, http.StatusCreated, func(t *tx, _ *http.Request, b Transfer) (any, error) { return t.transfer(b) }))

	handle("GET", "/operations/{key}", s.enquiry(func(t *tx, r *http.Request) (any, error) { return s.ledger.operation(t, r.PathValue("key")) }))
	handle("GET", "/entries", s.enquiry(func(t *tx, r *http.Request) (any, error) {
		limit, after, err := pageOf(r)
		if err != nil {
			return nil, err
		}
		q := r.URL.Query()
		list, err := t.listEntries(q.Get("reference"), q.Get("account"), after, limit)
		return map[string]any{"entries": list}, err
	}, "reference", "account", "after", "limit"))
	handle("GET", "/ledger/check", s.enquiry(func(t *tx, _ *http.Request) (any, error) { return t.check() }))

	handle("POST", "/faults", s.onLoopback(s.postFaults))
	handle("GET", "/faults", s.onLoopback(func(w http.ResponseWriter, _ *http.Request) {
		s.answer(w, http.StatusOK, map[string]any{"next": s.faults.list(false)})
	}))
	handle("DELETE", "/faults", s.onLoopback(func(w http.ResponseWriter, _ *http.Request) {
		s.answer(w, http.StatusOK, map[string]any{"next": s.faults.list(true)})
	}))

	handle("GET", "/livez", func(w http.ResponseWriter, _ *http.Request) { s.answer(w, http.StatusOK, map[string]any{"ok": true}) })
	handle("GET", "/readyz", func(w http.ResponseWriter, r *http.Request) {
		if err := s.ledger.store.Ping(r.Context()); err != nil {
			s.fail(w, r, refuse(Unavailable, "the database does not answer"))
			return
		}
		s.answer(w, http.StatusOK, map[string]any{"ok": true})
	})
	handle("GET", "/metrics", s.metrics.handler().ServeHTTP)
	handle("GET", "/openapi.yaml", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/yaml")
		w.Write(openAPI) // the client is gone
	})

	return table
}

// mux serves the table, and says of everything else what is wrong with it.
func (s *Server) mux(table []route) *http.ServeMux {
	mux := http.NewServeMux()
	allowed := make(map[string][]string)
	for _, r := range table {
		mux.HandleFunc(r.method+" "+r.path, r.handle)
		allowed[r.path] = append(allowed[r.path], r.method)
	}
	for path, methods := range allowed {
		slices.Sort(methods)
		allow := strings.Join(methods, ", ")
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Allow", allow)
			s.fail(w, r, refuse(MethodNotAllowed, "this path takes %s", allow))
		})
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s.fail(w, r, refuse(UnknownPath, "this bank has no such path"))
	})
	return mux
}

// postQuote is a POST for its body alone: it changes nothing and takes no key.
func (s *Server) postQuote(w http.ResponseWriter, r *http.Request) {
	var ask AskQuote
	if err := decode(w, r, &ask); err != nil {
		s.fail(w, r, err)
		return
	}
	s.enquiry(func(t *tx, _ *http.Request) (any, error) { return t.quote(ask) })(w, r)
}

func (s *Server) postFaults(w http.ResponseWriter, r *http.Request) {
	var b struct {
		Next []Fault `json:"next"`
	}
	err := decode(w, r, &b)
	if err == nil {
		err = s.faults.add(b.Next)
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.answer(w, http.StatusOK, map[string]any{"next": s.faults.list(false)})
}

func getStatement(t *tx, r *http.Request) (any, error) {
	limit, after, err := pageOf(r)
	if err != nil {
		return nil, err
	}
	from, err := timeOf(r, "from", 0)
	if err != nil {
		return nil, err
	}
	to, err := timeOf(r, "to", 1<<62)
	if err != nil {
		return nil, err
	}
	list, err := t.statement(r.PathValue("id"), from, to, after, limit)
	return map[string]any{"entries": list}, err
}

func causeOf(r *http.Request) Cause {
	q := r.URL.Query()
	return Cause{Reference: q.Get("reference"), Purpose: q.Get("purpose")}
}

// params refuses a query parameter that the route does not know, or one given
// twice: a filter that is not applied would be a wrong answer.
func params(r *http.Request, known ...string) error {
	for name, values := range r.URL.Query() {
		if !slices.Contains(known, name) || len(values) != 1 {
			return refuse(BadRequest, "query parameter %q is unknown here or given twice", clip(name))
		}
	}
	return nil
}

const pageMax = 1000

func limitOf(r *http.Request) (int, error) {
	text := r.URL.Query().Get("limit")
	if text == "" {
		return 100, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > pageMax {
		return 0, refuse(BadRequest, "limit is not 1 to %d", pageMax)
	}
	return n, nil
}

func pageOf(r *http.Request) (limit int, after int64, err error) {
	if limit, err = limitOf(r); err != nil {
		return 0, 0, err
	}
	if text := r.URL.Query().Get("after"); text != "" {
		if after, err = strconv.ParseInt(text, 10, 64); err != nil || after < 0 {
			return 0, 0, refuse(BadRequest, "after is not the id of an entry")
		}
	}
	return limit, after, nil
}

func timeOf(r *http.Request, name string, absent int64) (int64, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return absent, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return 0, refuse(BadRequest, "%s is not a time such as 2026-11-20T07:00:00Z", name)
	}
	return at.UnixMilli(), nil
}
