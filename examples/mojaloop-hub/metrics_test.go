package mojaloophub

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestMetricsAndHealth(t *testing.T) {
	s, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for path, want := range map[string]string{
		"/livez": "ok", "/readyz": "ok", "/metrics": "mojaloop_hub_callbacks_delivered_total 0",
	} {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: %d, without %q", path, w.Code, want)
		}
	}
}
