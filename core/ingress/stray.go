package ingress

import (
	"context"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/railhead-hub/railhead/core/exchange"
)

// strays look again for what requests did not find: this node may not have heard yet of
// what was just activated. Whoever asks for nothing that is there costs a question to
// the leader and a reading of all routes; so all who ask share one, and there are few
// in a second, however many strangers ask.
type strays struct {
	looking singleflight.Group
	last    atomic.Pointer[time.Time] // when the last look began; nil: there was none
}

// lookAgainEvery is the least time between two looks.
const lookAgainEvery = 50 * time.Millisecond

// look returns when a look that began after the call is over.
func (s *strays) look(ctx context.Context, h *Handler) error {
	done := s.looking.DoChan("", func() (any, error) {
		if last := s.last.Load(); last != nil {
			<-time.After(time.Until(last.Add(lookAgainEvery)))
		}
		now := time.Now()
		s.last.Store(&now)
		s.looking.Forget("") // who comes from here on needs another look
		ctx, cancel := context.WithTimeout(context.Background(), exchange.CatchUpMax)
		defer cancel()
		if err := h.Log.CatchUp(ctx); err != nil {
			return nil, err
		}
		h.Connectors.RefreshSince(time.Now())
		return nil, nil
	})
	select {
	case looked := <-done:
		return looked.Err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
