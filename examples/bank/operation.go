package bank

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

// Keys says what the ledger makes of idempotency keys.
type Keys string

const (
	// KeysHonoured does a deed once per key and repeats its answer.
	KeysHonoured Keys = "honoured"
	// KeysIgnored does the deed of every request, like a bank that has never heard
	// of idempotency keys. Enquiry by business reference still works.
	KeysIgnored Keys = "ignored"
)

// Ledger is the bank without its HTTP face.
type Ledger struct {
	store *Store
	keys  Keys
}

// request is one mutation on its way in.
type request struct {
	key string
	// deed and body are what the key stands for: another deed or another body
	// under the same key is a mistake of the client's.
	deed string
	body any
}

func (r request) digest() ([]byte, error) {
	body, err := json.Marshal(r.body)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(append([]byte(r.deed+"\n"), body...))
	return sum[:], nil
}

// answer is what a mutation said. A refusal is an answer too.
type answer struct {
	status   int
	body     []byte
	repeated bool // the first answer, again
}

// perform does a deed once per key, and stores the answer, or the refusal, in
// the transaction of the deed. The same key with the same request gets the first
// answer again, however many ask at once and whenever the process dies; the same
// key with another request is refused. An error is a failure: the deed was not
// done, unless the commit itself was cut off.
func (l *Ledger) perform(ctx context.Context, r request, do func(*tx) (status int, body any, err error)) (a answer, err error) {
	digest, err := r.digest()
	if err != nil {
		return a, err
	}
	err = l.store.update(ctx, func(t *tx) error {
		a = answer{}
		if l.keys == KeysIgnored {
			return a.fill(t, do)
		}
		// Whoever inserts the key first does the deed. On Postgres the others wait
		// here until that transaction has ended; on SQLite, before it begins.
		n, err := t.exec("INSERT INTO operations (key, digest, status, answer, performed_ms) VALUES ($1, $2, 0, $3, $4) ON CONFLICT (key) DO NOTHING",
			r.key, digest, []byte{}, t.now)
		if err != nil {
			return err
		}
		if n == 0 {
			var first []byte
			a.repeated = true
			if err := t.one("SELECT digest, status, answer FROM operations WHERE key = $1", r.key).Scan(&first, &a.status, &a.body); err != nil {
				return err
			}
			if !bytes.Equal(first, digest) {
				return refuse(KeyReused, "the idempotency key was used for another request")
			}
			return nil
		}
		if err := a.fill(t, do); err != nil {
			return err
		}
		_, err = t.exec("UPDATE operations SET status = $1, answer = $2 WHERE key = $3", a.status, a.body, r.key)
		return err
	})
	return a, err
}

// fill does the deed. A refusal undoes what the deed had begun, and only that.
func (a *answer) fill(t *tx, do func(*tx) (int, any, error)) error {
	if _, err := t.exec("SAVEPOINT deed"); err != nil {
		return err
	}
	status, body, err := do(t)
	if e, ok := refusal(err); ok {
		if _, err := t.exec("ROLLBACK TO SAVEPOINT deed"); err != nil {
			return err
		}
		status, body = e.status(), e
	} else if err != nil {
		return err
	}
	a.status = status
	a.body, err = json.Marshal(body)
	return err
}

func (e *Error) status() int { return status[e.Code] }

// Operation is what became of an idempotency key.
type Operation struct {
	Key         string          `json:"key"`
	State       string          `json:"state"` // done, refused
	Status      int             `json:"status"`
	Answer      json.RawMessage `json:"answer"`
	PerformedAt string          `json:"performed_at"`
}

// operation enquires by key. A bank that ignores keys does not know the path.
func (l *Ledger) operation(t *tx, key string) (Operation, error) {
	if l.keys == KeysIgnored {
		return Operation{}, refuse(UnknownPath, "this bank keeps no idempotency keys: enquire by reference")
	}
	o := Operation{Key: key, State: "done"}
	var body []byte
	var ms int64
	err := t.one("SELECT status, answer, performed_ms FROM operations WHERE key = $1", key).Scan(&o.Status, &body, &ms)
	if errors.Is(err, sql.ErrNoRows) {
		return o, refuse(OperationNotFound, "this key was never seen")
	}
	if err != nil {
		return o, fmt.Errorf("read operation: %w", err)
	}
	if o.Status >= http.StatusMultipleChoices {
		o.State = "refused"
	}
	o.Answer, o.PerformedAt = body, stamp(ms)
	return o, nil
}
