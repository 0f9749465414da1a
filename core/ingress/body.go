package ingress

import (
	"errors"
	"io"
	"net/http"
	"os"
	"sync/atomic"
	"time"
)

// intake reads the bodies that come through net/http, as slowly as their senders like;
// those that Front reads are whole before they come to the handler. While its body is
// read a request has a place here and none among those that are served: slow senders
// keep out nobody but each other, who may be strangers where the body is signed.
type intake struct {
	reading atomic.Int64
	bytes   atomic.Int64 // of all bodies that are held
}

// bodiesDefault bounds what all bodies together hold: many at once that are each within
// their route's limit must not take the node's memory from its payments.
const bodiesDefault = 256 << 20

// readBody reads a request's body within the time of a request, and adds to held what it
// takes of the room for all.
func (h *Handler) readBody(w http.ResponseWriter, r *http.Request, most int, held *int64) ([]byte, error) {
	if r.ContentLength == 0 {
		return nil, nil
	}
	h.serving.Add(-1)
	body, err := h.takeIn(w, r, most, held)
	if h.serving.Add(1) > int64(h.Concurrent) && err == nil {
		err = overloaded
	}
	return body, err
}

func (h *Handler) takeIn(w http.ResponseWriter, r *http.Request, most int, held *int64) ([]byte, error) {
	defer h.intake.reading.Add(-1)
	if h.intake.reading.Add(1) > int64(h.Concurrent) {
		return nil, overloaded
	}
	// Once the body is there, the server's own deadline must not end a request that is
	// served. A writer that knows no deadlines is a test's.
	deadline := http.NewResponseController(w)
	_ = deadline.SetReadDeadline(time.Now().Add(h.Timeout))
	body, err := io.ReadAll(&share{from: http.MaxBytesReader(w, r.Body, int64(most)), of: h, held: held})
	if err == nil {
		_ = deadline.SetReadDeadline(time.Time{})
	}
	return body, bodyProblem(err)
}

// share reads as long as there is room for all.
type share struct {
	from io.Reader
	of   *Handler
	held *int64
}

func (s *share) Read(p []byte) (int, error) {
	n, err := s.from.Read(p)
	*s.held += int64(n)
	if s.of.intake.bytes.Add(int64(n)) > s.of.BodiesMax {
		return n, overloaded
	}
	return n, err
}

// bodyProblem says why a body was not read; nil when it was.
func bodyProblem(err error) error {
	var own *problem
	switch {
	case err == nil:
		return nil
	case errors.As(err, &own):
		return own
	case errors.As(err, new(*http.MaxBytesError)):
		return tooLarge
	case errors.Is(err, os.ErrDeadlineExceeded):
		return slow
	}
	return unreadable
}
