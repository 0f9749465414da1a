package api

import (
	"context"
	"time"

	"connectrpc.com/connect"

	opsv1 "github.com/railhead-hub/railhead/opsd/v1"
)

const (
	watchPage = 500
	// watchPoll is how soon changes are seen that another process stored.
	watchPoll = time.Second
)

// Changed wakes the watchers: something was stored.
func (s *Service) Changed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *Service) wake() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

// Watch implements opsv1connect.OpsServiceHandler.
func (s *Service) Watch(ctx context.Context, r *opsv1.WatchRequest, stream *connect.ServerStream[opsv1.WatchResponse]) error {
	f, err := filter(r.Filter)
	if err != nil {
		return invalid(err)
	}
	within := scope(r.Filter)
	numbers, err := readToken(r.ResumeToken, tokenWatch, within, 1)
	if err != nil {
		return invalid(err)
	}
	after := numbers[0]
	if r.ResumeToken == "" {
		if after, err = s.store.Newest(ctx); err != nil {
			return s.failed(ctx, err)
		}
	}
	send := func(response *opsv1.WatchResponse) error {
		response.ResumeToken = writeToken(tokenWatch, within, after)
		return stream.Send(response)
	}
	// The first message says that the stream stands and where it begins.
	if err := send(&opsv1.WatchResponse{}); err != nil {
		return err
	}
	end := time.NewTimer(s.cfg.WatchMax)
	defer end.Stop()
	heartbeat := time.NewTicker(s.cfg.WatchHeartbeat)
	defer heartbeat.Stop()
	poll := time.NewTicker(watchPoll)
	defer poll.Stop()
	for {
		wake := s.wake() // before looking, so that no change falls between
		newest, err := s.store.Newest(ctx)
		if err != nil {
			return s.failed(ctx, err)
		}
		for after < newest {
			changes, err := s.store.Changes(ctx, f, after, newest, watchPage)
			if err != nil {
				return s.failed(ctx, err)
			}
			for _, c := range changes {
				after = c.Change
				if err := send(&opsv1.WatchResponse{Payment: s.mask.payment(c.Payment), Matches: c.Matches}); err != nil {
					return err
				}
			}
			if len(changes) < watchPage {
				after = newest
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-end.C:
			return nil
		case <-heartbeat.C:
			if err := send(&opsv1.WatchResponse{}); err != nil {
				return err
			}
		case <-wake:
		case <-poll.C:
		}
	}
}
