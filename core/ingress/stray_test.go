package ingress

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

// TestStrangersShareALook: however many ask for routes that are not there, the leader is
// asked a few times in a second.
func TestStrangersShareALook(t *testing.T) {
	h, log := newHandler(t, nil, nil)
	begun := time.Now()
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for range 4 {
				w := httptest.NewRecorder()
				h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/nothing", nil))
				if w.Code != http.StatusNotFound {
					t.Errorf("%d %s", w.Code, w.Body)
				}
			}
		})
	}
	all.Wait()
	if most := 2 + int64(time.Since(begun)/lookAgainEvery); log.asked.Load() > most {
		t.Errorf("the leader was asked %d times, %d at most are expected", log.asked.Load(), most)
	}
}
