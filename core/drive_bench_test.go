package core

import (
	"fmt"
	"testing"

	corev1 "github.com/railhead-hub/railhead/core/v1"
)

// BenchmarkDrive is payments of one task, each from its start to the message of
// its end, through one stream with 2,000 under way; the connector runs natively.
func BenchmarkDrive(b *testing.B) {
	s := newSite(b, 1, func(c *Config) { c.Limits.Workers = 512 })
	s.furnish(0)
	d := must(s.control(0).Drive(b.Context()))
	next, ended := 0, 0
	send := func(n int) {
		batch := &corev1.DriveRequest{}
		for ; n > 0 && next < b.N; n-- {
			batch.Starts = append(batch.Starts, &corev1.DriveStart{
				Ref: uint64(next), Tenant: "greenbank", Flow: "nothing", Channel: "drive", ClientKey: fmt.Sprint(next), NotifyEnd: true,
			})
			next++
		}
		if len(batch.Starts) > 0 {
			check(b, d.Send(batch))
		}
	}
	b.ResetTimer()
	for range 10 {
		send(200)
	}
	for ended < b.N {
		r := must(d.Receive())
		ended += len(r.Ended)
		send(len(r.Ended))
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "payments/s")
}
