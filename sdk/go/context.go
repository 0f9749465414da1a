package connector

import (
	"math/rand/v2"
	"time"

	"github.com/railhead-hub/railhead/sdk/abi"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// Context is a handler's only door to the world. It belongs to one step: do not
// keep it.
type Context struct {
	request *sdkv1.StepRequest
	// next is the index of the first history entry that is not consumed yet, and
	// ordinal the number of the last effect asked for.
	next    int
	ordinal uint32
	now     int64
	rand    *rand.Rand

	settlements []*sdkv1.Settlement

	// left is set once the step has ended at an effect, in case the handler
	// recovers from the unwinding.
	left *unwind
}

// unwind leaves a handler at the first effect that has no answer yet, or whose
// digest does not agree.
type unwind struct {
	effect   *sdkv1.Effect
	mismatch *sdkv1.Mismatch
}

// resume takes up a history that begins with a checkpoint.
func (c *Context) resume(checkpoint *sdkv1.Entry) {
	c.next = 1
	c.ordinal = checkpoint.GetOrdinal()
	c.now = checkpoint.GetTimeMs()
}

// ask returns the answer to the effect, or leaves the handler.
func (c *Context) ask(effect *sdkv1.Effect) *sdkv1.Answer {
	if c.left != nil {
		panic(c.left)
	}
	c.ordinal++
	effect.Ordinal = c.ordinal
	if c.next == len(c.request.History) {
		c.leave(&unwind{effect: effect})
	}
	entry := c.request.History[c.next]
	got := abi.EffectDigest(effect)
	if entry.GetOrdinal() != effect.Ordinal || entry.GetDigest() != got {
		c.leave(&unwind{mismatch: &sdkv1.Mismatch{
			Ordinal: effect.Ordinal,
			Want:    entry.GetDigest(),
			Got:     got,
			Effect:  effect,
		}})
	}
	c.next++
	c.now = entry.GetTimeMs()
	return entry.GetAnswer()
}

// leave ends the handler.
func (c *Context) leave(u *unwind) {
	c.left = u
	panic(u)
}

// Now is the time at which the last answer came in, or at which the trigger was
// raised. It is the same in every run of one history, has millisecond
// resolution, and is in UTC.
func (c *Context) Now() time.Time { return time.UnixMilli(c.now).UTC() }

// Rand is a random source that draws the same numbers in every run of one
// history. Different payments, jobs and attempts draw different ones. It is
// fit for identifiers, not for keys: keys live in the host.
func (c *Context) Rand() *rand.Rand {
	if c.rand == nil {
		var seed [abi.SeedBytes]byte
		copy(seed[:], c.request.Seed)
		c.rand = rand.New(rand.NewChaCha8(seed))
	}
	return c.rand
}

// UUID draws a random (version 4) UUID from Rand.
func (c *Context) UUID() string {
	r := c.Rand()
	hi := r.Uint64()&^0xf000 | 0x4000
	lo := r.Uint64()&^(3<<62) | 2<<62
	const digits = "0123456789abcdef"
	var out [36]byte
	n := 0
	put := func(v uint64, nibbles int) {
		for i := nibbles - 1; i >= 0; i-- {
			if n == 8 || n == 13 || n == 18 || n == 23 {
				out[n] = '-'
				n++
			}
			out[n] = digits[v>>(4*i)&15]
			n++
		}
	}
	put(hi, 16)
	put(lo, 16)
	return string(out[:])
}

// Tenant is the id of the tenant the trigger belongs to.
func (c *Context) Tenant() string { return c.request.GetTrigger().GetTenant() }

// ConfigJSON is the tenant's configuration of this connector, a JSON object.
// Secrets in it are references: write them where they are needed as
// {{secret:name}} and the host substitutes them.
func (c *Context) ConfigJSON() []byte { return c.request.Config }

// State is what the last Checkpoint of this job kept, or nil.
func (c *Context) State() []byte { return c.request.State }

// Settle reports, with the outcome, what became of a money effect that was in
// doubt: done, or certainly not done. Say it only when the other side has said
// it; the hub repeats an effect that is settled as not done.
func (c *Context) Settle(key string, done bool) {
	c.settlements = append(c.settlements, &sdkv1.Settlement{Key: key, Done: done})
}
