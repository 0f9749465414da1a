// Command probe is the connector of the sandbox's tests: it does what the
// variable "do" says, good and bad.
package main

import (
	"fmt"
	"os"
	"time"

	connector "github.com/railhead-hub/railhead/sdk/go"
)

func init() {
	connector.Serve(connector.Connector{
		Jobs: map[string]func(*connector.Context, *connector.Job) connector.Outcome{"probe": probe},
	})
}

func main() {}

// remembered is what no connector may have: state that outlives a step.
var remembered int

var sink []byte

func probe(c *connector.Context, job *connector.Job) connector.Outcome {
	switch job.String("do") {
	case "complete":
		return connector.Complete(connector.Vars{"done": true})
	case "json":
		var transfer struct {
			Payee struct {
				PartyIDInfo struct{ PartyIDType, PartyIdentifier string }
			}
			Amount struct{ Amount, Currency string }
		}
		if err := job.Decode("payload", &transfer); err != nil {
			return connector.Fail("PAYLOAD", err.Error())
		}
		return connector.Complete(connector.Vars{"amount": transfer.Amount.Amount, "payee": connector.Value(transfer.Payee)})
	case "clock":
		before := c.Now()
		if err := c.Sleep(time.Second); err != nil {
			return connector.Fail("SLEEP", err.Error())
		}
		return connector.Complete(connector.Vars{
			"before": before.UnixMilli(), "after": c.Now().UnixMilli(), "wall": time.Now().UnixMilli(),
		})
	case "wall":
		return connector.Complete(connector.Vars{"wall": time.Now().UnixMilli()})
	case "random":
		return connector.Complete(connector.Vars{"uuid": c.UUID()})
	case "log":
		c.Log(connector.Warn, "line one\nforged", "key", "a value")
		fmt.Fprintln(os.Stderr, "to standard error")
		for range 1000 {
			c.Log(connector.Info, "flood")
		}
	case "state":
		remembered++
		if _, err := c.Sequence(fmt.Sprint("n", remembered)); err != nil {
			return connector.Fail("SEQUENCE", err.Error())
		}
	case "panic":
		panic("of the connector's own making")
	case "panic-after-use":
		if remembered++; remembered > 1 {
			panic("only a fresh instance can do this")
		}
	case "spin":
		for {
			remembered++
		}
	case "exit":
		os.Exit(3)
	case "deadlock":
		<-make(chan int)
	case "grow":
		for {
			sink = append(sink, make([]byte, 1<<20)...)
		}
	case "recurse":
		return connector.Complete(connector.Vars{"n": recurse(1)})
	case "files":
		_, err := os.ReadFile("/etc/passwd")
		return connector.Complete(connector.Vars{"error": fmt.Sprint(err)})
	}
	return connector.Complete(nil)
}

func recurse(n int) int {
	var frame [64]int
	frame[n%64] = n
	return recurse(n+1) + frame[(n+1)%64]
}
