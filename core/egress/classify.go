package egress

import enginev1 "github.com/railhead-hub/railhead/engine/v1"

// classify says what a complete response tells about the effect it answers. Only
// what is certain is said: an effect wrongly called refused would be done again
// under a new key, and money would move twice.
//
//	status              first sent           sent again under the same key
//	2xx                 done                 done
//	301 307 308         refused: not here    open
//	other 3xx           open                 open
//	408 425 429         open                 open
//	409                 refused              open
//	401 403 404 405     refused              open
//	407 421 451         refused              open
//	other 4xx           refused              refused
//	5xx, anything else  open                 open
//
// Why 409 differs: a conflict answers the state the peer was in. The first time
// a request is sent under a key nothing of ours can be there to conflict with,
// so the peer did not act. When the same key is sent again the conflict may well
// be with our own first request, still being worked on.
//
// Why a second 401 or 404 settles nothing: such answers come from gates before
// the ledger (an expired token, a changed route) and say nothing about what the
// ledger did the first time. A 400, 402 or 422 is the ledger's own answer, which
// a keyed endpoint repeats.
func classify(status int, again bool) enginev1.EffectState {
	const (
		open    = enginev1.EffectState_EFFECT_STATE_OPEN
		done    = enginev1.EffectState_EFFECT_STATE_DONE
		refused = enginev1.EffectState_EFFECT_STATE_REFUSED
	)
	switch {
	case status >= 200 && status < 300:
		return done
	case status == 408 || status == 425 || status == 429:
		return open
	}
	switch status {
	case 301, 307, 308, 401, 403, 404, 405, 407, 409, 421, 451:
		if again {
			return open
		}
		return refused
	}
	if status >= 400 && status < 500 {
		return refused
	}
	return open
}
