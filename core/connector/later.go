package connector

import (
	"sync"
	"time"
)

// later is something that could not be made when its binding was, as when a secret's
// file was not there, and is tried again now and then: a file that comes is enough,
// without a new configuration.
type later[T any] struct {
	make func() (T, error)

	mu    sync.Mutex
	value T
	err   error
	next  time.Time // when it may be tried again
}

// retryEvery is how long a fault is taken for granted.
const retryEvery = 5 * time.Second

func newLater[T any](value T, err error, make func() (T, error)) *later[T] {
	return &later[T]{make: make, value: value, err: err, next: time.Now().Add(retryEvery)}
}

// get is the value, and what is still wrong with it.
func (l *later[T]) get() (T, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil && time.Now().After(l.next) {
		l.value, l.err = l.make()
		l.next = time.Now().Add(retryEvery)
	}
	return l.value, l.err
}
