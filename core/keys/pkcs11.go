//go:build cgo

package keys

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/miekg/pkcs11"

	"github.com/railhead-hub/railhead/sdk/abi"
)

// Library is a PKCS#11 library, and the tokens it reaches. A process opens one once.
type Library struct {
	ctx    *pkcs11.Ctx
	mu     sync.Mutex
	tokens map[string]*token // by label
}

// OpenLibrary loads the shared library at path. The path is the node's to say, never
// a tenant's: what it names runs in this process.
func OpenLibrary(path string) (*Library, error) {
	ctx := pkcs11.New(path)
	if ctx == nil {
		return nil, fmt.Errorf("%s cannot be loaded as a PKCS#11 library", path)
	}
	if err := ctx.Initialize(); err != nil && !errors.Is(err, pkcs11.Error(pkcs11.CKR_CRYPTOKI_ALREADY_INITIALIZED)) {
		ctx.Destroy()
		return nil, fmt.Errorf("the PKCS#11 library %s: %w", path, err)
	}
	return &Library{ctx: ctx, tokens: make(map[string]*token)}, nil
}

// Close logs out and unloads the library. Nothing may use its keys any more.
func (l *Library) Close() {
	if l == nil {
		return
	}
	_ = l.ctx.Finalize() // closes every session
	l.ctx.Destroy()
}

// key names an object of a token; nothing is asked of the token before it is used.
func (l *Library) key(p PKCS11, pinPath, name string) (material, error) {
	if l == nil {
		return nil, errors.New("the key is in a PKCS#11 token, and this node has no pkcs11_module")
	}
	id, err := decodeHex(p.ID)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.tokens[p.Token]
	if t == nil {
		t = &token{
			library: l, label: p.Token, room: make(chan struct{}, sessionsMax),
			handles: make(map[object]pkcs11.ObjectHandle), wrong: make(map[[32]byte]bool),
		}
		l.tokens[p.Token] = t
	}
	return &tokenKey{token: t, object: object{label: p.Label, id: string(id)}, pinPath: pinPath, name: name}, nil
}

// sessionsMax bounds the sessions open with one token; who comes later waits.
const sessionsMax = 8

// token is one token, logged in to once for all. Sessions are kept open.
type token struct {
	library *Library
	label   string
	room    chan struct{}

	mu   sync.Mutex
	open bool // logged in
	slot uint
	pin  [32]byte // digest of the PIN that was accepted
	idle []pkcs11.SessionHandle
	// term counts the log-ins: a session of an earlier one is worth nothing.
	term    uint64
	handles map[object]pkcs11.ObjectHandle
	// wrong are digests of PINs that were refused. They are not tried again: a token
	// locks itself after a few.
	wrong map[[32]byte]bool
}

// object names one.
type object struct {
	label, id string
	class     uint
}

// session is one on loan.
type session struct {
	*token
	handle pkcs11.SessionHandle
	term   uint64
}

// with lends a session, and once more a new one where what there was is gone: the
// token was taken out, restarted, or has forgotten the log-in.
func (k *tokenKey) with(ctx context.Context, do func(*session) error) error {
	t := k.token
	select {
	case t.room <- struct{}{}:
		defer func() { <-t.room }()
	case <-ctx.Done():
		return failf(abi.FailureUnavailable, "%s: no session with its token became free in time", k.name)
	}
	for again := false; ; again = true {
		s, err := t.take(k.pinPath)
		if err == nil {
			if err = do(s); err == nil {
				t.giveBack(s)
				return nil
			}
			t.discard(s, gone(err))
		}
		if again || !gone(err) {
			return k.failure(err)
		}
	}
}

// gone tells errors that say nothing of the key or the data, but that the session,
// the log-in or the handle is no more.
func gone(err error) bool {
	code, ok := errors.AsType[pkcs11.Error](err)
	if !ok {
		return false
	}
	switch uint(code) {
	case pkcs11.CKR_SESSION_HANDLE_INVALID, pkcs11.CKR_SESSION_CLOSED, pkcs11.CKR_USER_NOT_LOGGED_IN,
		pkcs11.CKR_TOKEN_NOT_PRESENT, pkcs11.CKR_TOKEN_NOT_RECOGNIZED, pkcs11.CKR_DEVICE_REMOVED, pkcs11.CKR_DEVICE_ERROR,
		pkcs11.CKR_SLOT_ID_INVALID, pkcs11.CKR_KEY_HANDLE_INVALID, pkcs11.CKR_OBJECT_HANDLE_INVALID,
		pkcs11.CKR_CRYPTOKI_NOT_INITIALIZED:
		return true
	}
	return false
}

// failure says why a key in a token could not be used.
func (k *tokenKey) failure(err error) error {
	if f, ok := errors.AsType[*Failure](err); ok {
		return f
	}
	if code, ok := errors.AsType[pkcs11.Error](err); ok {
		switch uint(code) {
		case pkcs11.CKR_MECHANISM_INVALID, pkcs11.CKR_MECHANISM_PARAM_INVALID, pkcs11.CKR_KEY_TYPE_INCONSISTENT:
			return failf(abi.FailureUnsupported, "%s: its token cannot do this with it: %v", k.name, code)
		case pkcs11.CKR_KEY_FUNCTION_NOT_PERMITTED:
			return failf(abi.FailureForbidden, "%s: its token does not permit this use of it", k.name)
		case pkcs11.CKR_DATA_LEN_RANGE:
			return failf(abi.FailureTooLarge, "%s: its token takes less data", k.name)
		}
	}
	return failf(abi.FailureUnavailable, "%s: its token %s does not answer: %v", k.name, k.token.label, err)
}

// take lends a session of a token that this PIN opens.
func (t *token) take(pinPath string) (*session, error) {
	pin, err := readPIN(pinPath)
	if err != nil {
		return nil, err
	}
	defer clear(pin)
	digest := sha256.Sum256(pin)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.wrong[digest] {
		return nil, failf(abi.FailureUnavailable, "token %s refuses the PIN, which is not tried again until it changes", t.label)
	}
	// Whoever does not know the PIN may not work under the log-in of one who does.
	if t.open && t.pin != digest {
		t.close()
	}
	if !t.open {
		if err := t.login(pin, digest); err != nil {
			return nil, err
		}
	}
	if n := len(t.idle); n > 0 {
		s := &session{t, t.idle[n-1], t.term}
		t.idle = t.idle[:n-1]
		return s, nil
	}
	handle, err := t.library.ctx.OpenSession(t.slot, pkcs11.CKF_SERIAL_SESSION)
	if err != nil {
		if gone(err) {
			t.close()
		}
		return nil, err
	}
	return &session{t, handle, t.term}, nil
}

func readPIN(path string) ([]byte, error) {
	f := file{path: path, name: "a token's PIN", encoding: "raw"}
	f.fit = func(*software) error { return nil }
	found, _, err := f.read()
	if err != nil {
		return nil, err
	}
	secret := found[0].secret
	for n := len(secret); n > 0 && (secret[n-1] == '\n' || secret[n-1] == '\r'); n-- {
		secret = secret[:n-1]
	}
	return secret, nil
}

// login finds the token among the slots, whose numbers change, and logs in. The log-in
// is of the process: every session opened later has it while the first one stays.
func (t *token) login(pin []byte, digest [32]byte) error {
	ctx := t.library.ctx
	slots, err := ctx.GetSlotList(true)
	if err != nil {
		return err
	}
	found := false
	for _, slot := range slots {
		info, err := ctx.GetTokenInfo(slot)
		if err != nil || strings.TrimRight(info.Label, " \x00") != t.label {
			continue
		}
		if found {
			return fmt.Errorf("several tokens are called %s", t.label)
		}
		t.slot, found = slot, true
	}
	if !found {
		return pkcs11.Error(pkcs11.CKR_TOKEN_NOT_PRESENT)
	}
	handle, err := ctx.OpenSession(t.slot, pkcs11.CKF_SERIAL_SESSION)
	if err != nil {
		return err
	}
	err = ctx.Login(handle, pkcs11.CKU_USER, string(pin))
	if errors.Is(err, pkcs11.Error(pkcs11.CKR_USER_ALREADY_LOGGED_IN)) {
		// Of an earlier term; it would accept any PIN.
		_ = ctx.Logout(handle)
		err = ctx.Login(handle, pkcs11.CKU_USER, string(pin))
	}
	if err != nil {
		_ = ctx.CloseSession(handle)
		if code, ok := errors.AsType[pkcs11.Error](err); ok && (code == pkcs11.CKR_PIN_INCORRECT || code == pkcs11.CKR_PIN_LEN_RANGE ||
			code == pkcs11.CKR_PIN_INVALID || code == pkcs11.CKR_PIN_EXPIRED) {
			t.wrong[digest] = true
			return failf(abi.FailureUnavailable, "token %s refuses the PIN", t.label)
		}
		return err
	}
	t.open, t.pin = true, digest
	t.term++
	t.idle = append(t.idle[:0], handle)
	return nil
}

func (t *token) giveBack(s *session) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s.term == t.term && t.open {
		t.idle = append(t.idle, s.handle)
		return
	}
	_ = t.library.ctx.CloseSession(s.handle)
}

// discard ends a session after an error, which may have left an operation under way.
// One that is gone takes the others of its log-in with it, and the next use begins
// with the search for the token.
func (t *token) discard(s *session, isGone bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	current := t.open && s.term == t.term
	switch {
	case current && isGone:
		t.close()
		return
	case current && len(t.idle) == 0:
		// The log-in ends with the last session, and a new one is dear.
		if handle, err := t.library.ctx.OpenSession(t.slot, pkcs11.CKF_SERIAL_SESSION); err == nil {
			t.idle = append(t.idle, handle)
		}
	}
	_ = t.library.ctx.CloseSession(s.handle)
}

func (t *token) close() {
	if t.open {
		_ = t.library.ctx.CloseAllSessions(t.slot)
	}
	t.open, t.idle = false, nil
	t.term++
	clear(t.handles)
}

// find is the handle of an object.
func (s *session) find(o object) (pkcs11.ObjectHandle, error) {
	s.mu.Lock()
	handle, known := s.handles[o]
	known = known && s.term == s.token.term
	s.mu.Unlock()
	if known {
		return handle, nil
	}
	template := []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_CLASS, o.class)}
	if o.label != "" {
		template = append(template, pkcs11.NewAttribute(pkcs11.CKA_LABEL, o.label))
	}
	if o.id != "" {
		template = append(template, pkcs11.NewAttribute(pkcs11.CKA_ID, []byte(o.id)))
	}
	ctx := s.library.ctx
	if err := ctx.FindObjectsInit(s.handle, template); err != nil {
		return 0, err
	}
	found, _, err := ctx.FindObjects(s.handle, 2)
	if end := ctx.FindObjectsFinal(s.handle); err == nil {
		err = end
	}
	switch {
	case err != nil:
		return 0, err
	case len(found) == 0:
		return 0, errNoObject
	case len(found) > 1:
		return 0, failf(abi.FailureNotFound, "several keys of token %s are called so; give its id as well", s.label)
	}
	s.mu.Lock()
	if s.term == s.token.term {
		s.handles[o] = found[0]
	}
	s.mu.Unlock()
	return found[0], nil
}

var errNoObject = &Failure{abi.FailureNotFound, "the token holds no such key"}
